import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { createSocket } from 'node:dgram';
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
import { type Assembler, createAssembler } from '../assembler/assembler.ts';
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

type Lack = (a: Assembler) => void;

/** A workload that leaves out an instruction: the first of those that stand together in one place alone. */
function without(name: string, lack: Lack): Buffer {
  const a = createAssembler();
  lack(a);
  const instructions = Buffer.from(a.assemble({ textAddress: 0 }).text.bytes);
  const elf = Buffer.from(workloads.find((workload) => workload.name === name)?.elf ?? []);
  const at = elf.indexOf(instructions);
  expect(at).toBeGreaterThan(0);
  expect(elf.indexOf(instructions, at + 1)).toBe(-1);
  const nop = Buffer.from([0x13, 0, 0, 0]);
  nop.copy(elf, at);
  return elf;
}

/** One that nobody uses at the moment. */
function freeUdpPort(): string {
  return String(20_000 + Math.floor(Math.random() * 10_000));
}

/** As udpflood makes it (datagram.ts). */
function datagramOf(number: number): Buffer {
  const words = 8 + (number % 177);
  const datagram = Buffer.alloc(words * 8);
  datagram.writeBigUInt64LE(BigInt(number));
  let word = BigInt.asUintN(64, 0x9e37_79b9_7f4a_7c15n * BigInt(number));
  word ^= word >> 31n;
  for (let index = 1; index < words; index++) {
    datagram.writeBigUInt64LE(word, index * 8);
    word = BigInt.asUintN(64, word + 0x94d0_49bb_1331_11ebn);
  }
  return datagram;
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

  test.each([
    { name: 'remapper', args: ['40'], verdict: /remapper: verified \d+ rounds\n$/ },
    { name: 'codewriter', args: ['100'], verdict: /codewriter: verified 100 functions\n$/ },
  ])('$name finds everything as it left it, until it is told to end', async ({ name, args, verdict }) => {
    const { code, output } = await run(name, args, (line, child) => {
      if (/^\w+: \d+ \d+$/.test(line)) child.send('\n');
    });
    expect(output).toMatch(verdict);
    expect(output).not.toMatch(/MISMATCH/);
    const [, count] = /^\w+: (\d+) \d+$/m.exec(output) ?? [];
    expect(Number(count)).toBeGreaterThan(10);
    expect(code).toBe(0);
  });

  // Each variant leaves out one instruction, as a machine would that loses a store, keeps old code or ignores a right.
  test.each<{ name: string; lacks: Lack; says: RegExp }>([
    {
      name: 'codewriter',
      lacks: (a) => {
        a.add('t3', 't1', 't2');
        a.srli('t3', 't3', 12);
      },
      says: /MISMATCH function \d+ generation \d+/,
    },
    { name: 'codewriter', lacks: (a) => a.sw('a0', 12, 't0'), says: /MISMATCH own instruction before/ },
    {
      name: 'remapper',
      lacks: (a) => {
        a.sd('t1', 0, 't0');
        a.addi('a1', 'a1', 1);
      },
      says: /MISMATCH filled page 0 round 1/,
    },
    { name: 'remapper', lacks: (a) => a.li('a2', 1), says: /MISMATCH read-only page \d+ round 1/ },
  ])('$name notices what is missing: $says', async ({ name, lacks, says }) => {
    const variant = `${name}-${randomUUID()}`;
    writeFileSync(join(folder, variant), without(name, lacks), { mode: 0o755 });
    const { code, output } = await run(variant, ['40']);
    expect(output).toMatch(says);
    expect(code).toBe(1);
  });

  test('udpsink counts what udpflood sends, all of it whole and none again', async () => {
    const port = freeUdpPort();
    let flood: Promise<Run> | null = null;
    let isAsked = false;
    const sink = await run('udpsink', [port], (line, child) => {
      flood ??= run('udpflood', ['127.0.0.1', port], (sent, sender) => {
        if (/^udpflood: \d+ \d+$/.test(sent)) sender.signal('SIGTERM');
      });
      const [, received] = /received (\d+)/.exec(line) ?? [];
      if (!isAsked && Number(received) > 500) {
        isAsked = true;
        child.send('\n');
      }
    });
    const { output } = await (flood ?? Promise.reject(new Error('the sink said nothing')));
    const [, sent] = /^udpflood: sent (\d+)$/m.exec(output) ?? [];
    const [, received, lost, late, again, broken] =
      /received (\d+) lost (\d+) late (\d+) again (\d+) broken (\d+)\n$/.exec(sink.output)?.map(Number) ?? [];
    expect(received).toBeGreaterThan(500);
    expect(Number(received) + Number(lost)).toBeLessThanOrEqual(Number(sent));
    expect([late, again, broken]).toEqual([0, 0, 0]);
    expect(sink.code).toBe(0);
  });

  test('udpsink tells apart what is lost, late, again and not whole', async () => {
    const port = freeUdpPort();
    const socket = createSocket('udp4');
    const flipped = datagramOf(9);
    flipped[100] = (flipped[100] ?? 0) ^ 1;
    const datagrams = [
      ...[0, 1, 1, 4, 3, 4].map((number) => datagramOf(number)),
      flipped,
      datagramOf(10).subarray(0, 140),
      Buffer.concat([datagramOf(11), Buffer.alloc(1)]),
      Buffer.alloc(0),
      datagramOf(180),
    ];
    let hasSent = false;
    let isAsked = false;
    const { code, output } = await run('udpsink', [port], (line, child) => {
      if (!hasSent) for (const datagram of datagrams) socket.send(datagram, Number(port), '127.0.0.1');
      hasSent = true;
      if (!isAsked && /received 5/.test(line)) {
        isAsked = true;
        child.send('\n');
      }
    });
    socket.close();
    expect(output).toMatch(/udpsink: received 5 lost 176 late 1 again 2 broken 4\n$/);
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
    ['remapper', ['0']],
    ['remapper', ['65537']],
    ['codewriter', ['1048577']],
    ['udpsink', ['0']],
    ['udpsink', ['65536']],
    ['udpflood', ['127.0.0', '9']],
    ['udpflood', ['127.0.0.1', '65536']],
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
