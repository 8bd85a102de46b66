/** The workloads under Linux, in QEMU and in Skein's machine: they start, obey, and compute the same on both. */
import { readFileSync } from 'node:fs';
import { ensureGuestImage, type GuestImage } from '@skein/guests';
import { bootMachine, createDevices, createMachineMemory, loadCore, Machine } from '@skein/machine';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { QemuProcess, qemuBoardArguments } from '../support/qemu.ts';

const memoryMib = 128;
const deadlineMs = 60_000;
/** 10 MHz at 100 million steps a second, as 32-bit fraction: guest time that does not depend on this host's. */
const ratePerStep = Math.floor(0.1 * 2 ** 32);
/** Boot and work take some hundred million. */
const stepsMax = 3_000_000_000n;

let image: GuestImage;
let qemu: QemuProcess;

beforeAll(async () => {
  image = await ensureGuestImage();
  qemu = QemuProcess.start([
    ...qemuBoardArguments,
    ...['-m', `${memoryMib}`, '-kernel', image.kernelPath, '-initrd', image.initrdPath],
    ...['-append', `${image.defaultBootArguments} skein.hostname=work`],
  ]);
  await qemu.waitFor(/work:~# /, deadlineMs);
});

afterAll(async () => {
  await qemu?.kill();
});

/** Everything from the line that was typed to the mark behind its output; the quotes keep the echo from matching. */
async function ask(command: string): Promise<string> {
  const [output] = await qemu.ask(`${command}; echo fin""ished $?`, /.*?finished \d+/s, deadlineMs);
  return output.replaceAll('\r', '');
}

test('the ticker counts in milliseconds', async () => {
  const output = await ask('ticker 1000 50');
  const ticks = [...output.matchAll(/^t (\d+) (\d+)$/gm)];
  expect(ticks.map(([, counter]) => Number(counter))).toEqual(Array.from({ length: 50 }, (_, i) => i + 1));
  expect(output).toMatch(/finished 0$/);
});

test('the dirtier in the background ends with a verification when it gets a signal', async () => {
  const output = await ask('dirtier 8 2000 page & sleep 2; kill $!; wait $!');
  expect(output).toMatch(/^dirtier: \d+ \d+$/m);
  expect(output).toMatch(/^dirtier: verified 2048 pages\nfinished 0$/m);
});

test('the filler in the foreground verifies when a line is typed', async () => {
  const filled = qemu.ask('filler 4; echo fin""ished $?', /filled 4 MiB/, deadlineMs);
  await filled;
  await qemu.ask('', /filler: verified 1024 pages\r?\nfinished 0/, deadlineMs);
});

test('the pinger gets its replies from the loopback address', async () => {
  const output = await ask('ip link set lo up 2>/dev/null || ifconfig lo up; pinger 127.0.0.1 10 20');
  expect(output).toMatch(/^pinger: sent 20 received 20 lost 0 longest gap \d+ us\nfinished 0$/m);
});

const untilKilled = (command: string): string => `${command} & sleep 2; kill $!; wait $!`;
const verdicts = [
  ['remapper 64', /^remapper: verified \d+ rounds$/gm],
  ['codewriter 500', /^codewriter: verified 500 functions$/gm],
] as const;

test.each(verdicts)('%s finds everything as it left it in QEMU', async (command, verdict) => {
  const output = await ask(untilKilled(command));
  expect(output).toMatch(verdict);
  expect(output).toMatch(/finished 0$/);
});

test.each(verdicts)('%s finds everything as it left it in Skein', async (command, verdict) => {
  expect(await askSkein(untilKilled(command), verdict)).toHaveLength(1);
});

test('the sink has what the flood sends over the loopback address, whole and in order', async () => {
  const output = await ask(
    'udpsink 9000 & sink=$!; udpflood 127.0.0.1 9000 & sleep 2; kill $!; wait $!; kill $sink; wait $sink',
  );
  expect(output).toMatch(/^udpflood: sent \d+$/m);
  expect(output).toMatch(/^udpsink: received [1-9]\d+ lost \d+ late 0 again 0 broken 0\nfinished 0$/m);
});

test('the work mix gives the same checksums in Skein as in QEMU, though neither lets it count instructions', async () => {
  const inQemu = [...(await ask('workmix 2')).matchAll(/^workmix: .*$/gm)].map(([line]) => line);
  expect(inQemu.length).toBe(10);
  expect(inQemu.at(-1)).toMatch(/^workmix: iterations 2 checksum [0-9a-f]{16}$/);
  expect(await askSkein('workmix 2', /^workmix: .*$/gm)).toEqual(inQemu);
}, 120_000);

/** Boots the image in Skein's machine, types a line at its prompt, and returns the matches in what it prints. */
async function askSkein(command: string, lines: RegExp): Promise<readonly string[]> {
  const core = await loadCore();
  let console = '';
  const machine = new Machine({
    core,
    memory: createMachineMemory(core, memoryMib),
    memoryMib,
    devices: createDevices({ nics: [] }),
    emit: (output) => {
      if (output.type === 'console') console += Buffer.from(output.bytes).toString('latin1');
    },
  });
  bootMachine(machine, {
    kernel: readFileSync(image.kernelPath),
    initrd: readFileSync(image.initrdPath),
    bootArguments: `${image.defaultBootArguments} skein.hostname=work`,
  });
  machine.apply({ type: 'time', guestTicks: 0n, ratePerStep });
  const runUntil = (pattern: RegExp): void => {
    while (!pattern.test(console)) {
      const { reason } = machine.run(1_000_000);
      const wake = machine.wake();
      if (reason === 'idle' && wake.kind === 'at')
        machine.apply({ type: 'time', guestTicks: wake.guestTicks, ratePerStep });
      if (machine.isHalted || wake.kind === 'never' || machine.steps > stepsMax) {
        throw new Error(`the console never showed ${pattern}:\n${console.slice(-2000)}`);
      }
    }
  };
  runUntil(/work:~# /);
  machine.apply({ type: 'console', bytes: Buffer.from(`${command}; echo fin""ished\n`) });
  runUntil(/finished\r?\n/);
  return [...console.replaceAll('\r', '').matchAll(lines)].map(([line]) => line);
}
