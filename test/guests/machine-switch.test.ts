/** `skein machine run --nic switch:NAME`: machines without a cluster on one network, wherever its switch happens to live. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { ensureGuestImage } from '@skein/guests';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../support/until.ts';

const main = resolve(import.meta.dirname, '../../packages/cli/src/main.ts');
const folder = mkdtempSync(join(tmpdir(), 'skein-switch-'));
const recording = join(folder, 'run.skl');
const waitMs = 60_000;

interface Guest {
  readonly child: ChildProcessWithoutNullStreams;
  readonly ended: Promise<number>;
  readonly ask: (command: string, answer: RegExp) => Promise<void>;
}

const guests: Guest[] = [];
beforeAll(() => ensureGuestImage({}));
afterAll(() => {
  for (const { child } of guests) child.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

async function boot(number: number, switchName: string, ...more: string[]): Promise<Guest> {
  const append = `skein.hostname=g${number} skein.ip=10.9.0.${number}/24`;
  const words = ['machine', 'run', '--nic', `switch:${switchName}`, '--append', append, ...more];
  const child = spawn(process.execPath, [main, ...words], { env: { ...process.env, SKEIN_STATE: folder } });
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text.replaceAll('\r', '');
  });
  const waitFor = (pattern: RegExp, from: number) =>
    until(`g${number} says ${pattern}`, () => pattern.test(said.slice(from)), waitMs);
  const guest: Guest = {
    child,
    ended: once(child, 'close').then(([code]) => code as number),
    ask: async (command, answer) => {
      const from = said.length;
      child.stdin.write(`${command}\n`);
      await waitFor(answer, from);
    },
  };
  guests.push(guest);
  await waitFor(/^skein-guest: ready/m, 0);
  return guest;
}

const hears = async (guest: Guest, number: number): Promise<void> =>
  guest.ask(
    `ping -c 3 -W 5 10.9.0.${number}; echo asked-${number}-$?`,
    new RegExp(`^asked-${number}-0$`, 'm'),
  );

describe('machines on a switch', () => {
  it('hear each other, also after the one that had the switch is gone, and no machine of another switch', async () => {
    const [first, second, third] = [await boot(1, 'lab'), await boot(2, 'lab'), await boot(3, 'lab')];
    await hears(first, 2);
    await hears(second, 3);
    const other = await boot(4, 'elsewhere');
    await other.ask('ping -c 2 -W 2 10.9.0.2; echo asked-2-$?', /^asked-2-1$/m);
    first.child.kill('SIGKILL');
    await first.ended;
    await second.ask(
      'until ping -c 1 -W 1 10.9.0.3 >/dev/null; do :; done; echo again-$((40 + 2))',
      /^again-42$/m,
    );
    await hears(third, 2);
    expect(statSync(join(folder, 'switches')).mode & 0o777).toBe(0o700);
  }, 180_000);

  it('are not disturbed by who sends what is no frame', async () => {
    const [first, second] = [await boot(5, 'noise'), await boot(6, 'noise')];
    for (const bytes of [Buffer.alloc(4, 0xff), Buffer.from([0, 3, 1, 2, 3]), Buffer.alloc(70_000, 0x5a)]) {
      const socket = connect(join(folder, 'switches/noise.sock'));
      socket.end(bytes);
      socket.on('error', () => {});
      // Hung up on, with or without a reset.
      await new Promise<void>((resolve) => socket.once('close', () => resolve()));
    }
    await hears(first, 6);
    await hears(second, 5);
  }, 120_000);

  it('can be recorded, and replayed without any network', async () => {
    const [one, other] = [await boot(7, 'taken', '--record', recording), await boot(8, 'taken')];
    await hears(one, 8);
    one.child.stdin.write('poweroff\n');
    expect(await one.ended).toBe(0);
    other.child.kill('SIGKILL');
    const replay = spawn(process.execPath, [main, 'machine', 'replay', recording]);
    let said = '';
    replay.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    expect((await once(replay, 'close'))[0]).toBe(0);
    expect(said).toMatch(/^3 packets transmitted, 3 packets received/m);
  }, 120_000);
});
