import { spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { crc32 } from 'node:zlib';
import { afterAll, describe, expect, test } from 'vitest';
import { buildWorkloads } from './index.ts';

const folder = mkdtempSync(join(tmpdir(), 'skein-workloads-'));
const workloads = buildWorkloads();
for (const { name, elf } of workloads) writeFileSync(join(folder, name), elf, { mode: 0o755 });
afterAll(() => rmSync(folder, { recursive: true }));

interface Run {
  readonly code: number | null;
  readonly output: string;
}

/** Runs a workload under qemu-user; `act` sees each complete line and may answer on standard input or by a signal. */
function run(
  name: string,
  args: readonly string[],
  act: (
    line: string,
    child: { send(text: string): void; signal(name: NodeJS.Signals): void; pid: number },
  ) => void = () => {},
): Promise<Run> {
  const child = spawn('qemu-riscv64', [join(folder, name), ...args], { timeout: 10_000 });
  let output = '';
  let seen = 0;
  const handle = {
    send: (text: string) => void child.stdin.write(text),
    signal: (s: NodeJS.Signals) => void child.kill(s),
    pid: child.pid ?? 0,
  };
  const collect = (text: string): void => {
    output += text;
    for (let end = output.indexOf('\n', seen); end >= 0; end = output.indexOf('\n', seen)) {
      const line = output.slice(seen, end);
      seen = end + 1;
      act(line, handle);
    }
  };
  child.stdout.setEncoding('utf8').on('data', collect);
  child.stderr.setEncoding('utf8').on('data', collect);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      child.stdin.destroy();
      resolve({ code, output });
    });
  });
}

const hasQemuUser = (process.env.PATH ?? '')
  .split(delimiter)
  .some((path) => existsSync(join(path, 'qemu-riscv64')));

/** In the memory of a running process, flips a bit `distance` bytes behind the first place that holds this word. */
function flipBit(pid: number, word: bigint, distance: number): void {
  const needle = Buffer.alloc(8);
  needle.writeBigUInt64LE(word);
  const memory = openSync(`/proc/${pid}/mem`, 'r+');
  try {
    for (const line of readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n')) {
      const [, from, to] = /^([0-9a-f]+)-([0-9a-f]+) rw-p 00000000 00:00 0/.exec(line) ?? [];
      if (from === undefined || to === undefined) continue;
      const start = Number.parseInt(from, 16);
      const region = Buffer.alloc(Math.min(Number.parseInt(to, 16) - start, 4 * 1024 * 1024));
      const length = readSync(memory, region, 0, region.length, start);
      const at = region.subarray(0, length).indexOf(needle);
      if (at < 0 || at % 4096 !== 0) continue;
      const flipped = Buffer.from([(region[at + distance] ?? 0) ^ 1]);
      writeSync(memory, flipped, 0, 1, start + at + distance);
      return;
    }
    throw new Error(`no memory of process ${pid} holds ${word.toString(16)}`);
  } finally {
    closeSync(memory);
  }
}

function firstDirtierWord(): bigint {
  const mixed = 0xbf58_476d_1ce4_e5b9n;
  return mixed ^ (mixed >> 31n);
}

function firstFillerWord(): bigint {
  return xorshift(0x9e37_79b9_7f4a_7c15n);
}

/** xorshift64 as the work mix has it. */
function xorshift(state: bigint): bigint {
  let next = BigInt.asUintN(64, state ^ (state << 13n));
  next ^= next >> 7n;
  return BigInt.asUintN(64, next ^ (next << 17n));
}

function firstCrcSum(): bigint {
  let state = xorshift(0x243f_6a88_85a3_08d3n) | (1n << 63n);
  const data = Buffer.alloc(8192);
  for (let at = 0; at < data.length; at += 8) {
    state = xorshift(state);
    data.writeBigUInt64LE(state, at);
  }
  // The workload leaves out the final inversion.
  const sum = BigInt.asUintN(64, (BigInt(crc32(data)) ^ 0xffff_ffffn) * 0x9e37_79b9_7f4a_7c15n);
  return sum ^ (sum >> 29n);
}

test('the workloads are static executables, the same bytes each time', () => {
  expect(workloads.map(({ name }) => name)).toEqual([...workloads.map(({ name }) => name)].sort());
  expect(buildWorkloads()).toEqual(workloads);
  for (const { elf } of workloads) expect(Buffer.from(elf.subarray(1, 4)).toString()).toBe('ELF');
});

// qemu-user is no part of what the project needs; inside a guest the same programs run in test/guests.
const whereItRuns = { concurrent: true, skip: !hasQemuUser };
describe('under qemu-riscv64 (install qemu-user to run these)', whereItRuns, () => {
  test('ticker counts without a gap at its period', async () => {
    const startedMs = performance.now();
    const { code, output } = await run('ticker', ['2000', '20']);
    const elapsedMs = performance.now() - startedMs;
    expect(code).toBe(0);
    const lines = output.trimEnd().split('\n');
    expect(lines.map((line) => line.replace(/ \d+$/, ''))).toEqual(
      Array.from({ length: 20 }, (_, i) => `t ${i + 1}`),
    );
    // Absolute deadlines: whatever single lines do on a busy machine, the last is never early.
    expect(elapsedMs).toBeGreaterThan(19 * 2);
  });

  test.each(['counter', 'page'])(
    'dirtier in mode %s writes at its rate and finds every page right',
    async (mode) => {
      const { code, output } = await run('dirtier', ['1', '3000', mode], (line, child) => {
        if (/^dirtier: \d+ \d+$/.test(line)) child.send('\n');
      });
      expect(output).toMatch(/^dirtier: \d+ \d+\ndirtier: verified 256 pages\n$/);
      const [, pages, rate] = /^dirtier: (\d+) (\d+)/.exec(output) ?? [];
      expect(Number(pages)).toBeGreaterThan(1500);
      // A busy machine may show the report before the last pages were caught up.
      expect(Number(rate)).toBeGreaterThan(1500);
      expect(code).toBe(0);
    },
  );

  test('dirtier ends with a verification on a signal', async () => {
    const { code, output } = await run('dirtier', ['1', '100', 'counter'], (line, child) => {
      if (/^dirtier: \d+ \d+$/.test(line)) child.signal('SIGTERM');
    });
    expect(output).toMatch(/dirtier: verified 256 pages\n$/);
    expect(code).toBe(0);
  });

  test('filler verifies on SIGUSR1 and holds on until a line comes', async () => {
    let verified = 0;
    const { code, output } = await run('filler', ['1', '7'], (line, child) => {
      if (line === 'filler: filled 1 MiB') child.signal('SIGUSR1');
      if (line === 'filler: verified 256 pages' && ++verified === 1) child.send('end\n');
    });
    expect(output).toBe('filler: filled 1 MiB\nfiller: verified 256 pages\nfiller: verified 256 pages\n');
    expect(code).toBe(0);
  });

  test.each([
    // The first word of page 0 after its first write, and the first word that xorshift gives for seed 1.
    { name: 'dirtier', args: ['1', '1', 'page'], when: /^dirtier: 1 1$/, word: firstDirtierWord() },
    { name: 'filler', args: ['1', '1'], when: /^filler: filled/, word: firstFillerWord() },
  ])('$name notices one changed bit', async ({ name, args, when, word }) => {
    const { code, output } = await run(name, args, (line, child) => {
      if (!when.test(line)) return;
      flipBit(child.pid, word, 1000);
      child.send('\n');
    });
    expect(output.split('\n').at(-2)).toBe(`${name}: MISMATCH page 0`);
    expect(code).toBe(1);
  });

  test('workmix gives the same checksums each time, other ones for other iterations, and a right CRC-32', async () => {
    const [once, again, twice] = await Promise.all([
      run('workmix', ['1']),
      run('workmix', ['1']),
      run('workmix', ['2']),
    ]);
    const checksums = (result: Run): string => result.output.replace(/ instret \d+$/m, '');
    expect(once.code).toBe(0);
    expect(checksums(once)).toBe(checksums(again));
    const lines = (result: Run): string[] => checksums(result).split('\n').slice(0, -2);
    expect(lines(once).length).toBe(9);
    for (const [index, line] of lines(twice).entries()) expect(line).not.toBe(lines(once)[index]);
    expect(lines(once)[0]).toBe(`workmix: crc ${firstCrcSum().toString(16).padStart(16, '0')}`);
  });

  test('pinger gets replies from the loopback address and counts them', async (context) => {
    const { code, output } = await run('pinger', ['127.0.0.1', '5', '10']);
    if (output.includes('no raw socket')) context.skip('needs root');
    const replies = output.split('\n').slice(0, -2);
    expect(replies.map((line) => line.split(' ')[1])).toEqual(
      Array.from({ length: 10 }, (_, i) => `${i + 1}`),
    );
    expect(output.split('\n').at(-2)).toMatch(/^pinger: sent 10 received 10 lost 0 longest gap \d+ us$/);
    expect(code).toBe(0);
  });

  test.each([
    ['ticker', ['0']],
    ['workmix', []],
    ['workmix', ['0']],
    ['ticker', ['1000', '5', '5']],
    ['ticker', ['-1']],
    ['ticker', ['9999999999999999999']],
    ['dirtier', ['1', '1', 'both']],
    ['dirtier', ['1', '1', 'pages']],
    ['dirtier', ['0', '1', 'page']],
    ['filler', ['']],
    ['pinger', ['10.0.0', '10']],
    ['pinger', ['10.0.0.256', '10']],
    ['pinger', ['10.0.0.1.1', '10']],
    ['pinger', ['10.0.0.', '10']],
  ])('%s %j is refused with its usage', async (name, args) => {
    const { code, output } = await run(name, args);
    expect(output).toMatch(new RegExp(`^usage: ${name} .*\n$`));
    expect(code).toBe(2);
  });
});
