/**
 * Physical memory protection as guests meet it. What an access may do is checked against a model that looks at each byte
 * alone. Source: RISC-V privileged manual 1.12, "Physical Memory Protection".
 */
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { type CoreModules, createMachineMemory, loadCore } from './core-module.ts';
import { createDevices } from './devices/create-devices.ts';
import { Machine } from './machine.ts';
import {
  addi,
  csr,
  ecall,
  jal,
  load,
  lui,
  mret,
  register,
  sfenceAll,
  slli,
  store,
} from './test-support/encode.ts';

const ramBase = 0x8000_0000;
const memoryMib = 64;
/** Where the tests protect something: two pages, far from the code. */
const window = ramBase + 0x10_0000;
const windowBytes = 8192;
const table = ramBase + 0x4000;

const pmpcfg0 = 0x3a0;
const pmpcfg2 = 0x3a2;
const pmpaddr0 = 0x3b0;
const mstatus = 0x300;
const mepc = 0x341;
const mtvec = 0x305;
const satp = 0x180;

const read = 1;
const write = 2;
const execute = 4;
const locked = 0x80;
const modes = { off: 0, topOfRange: 1, four: 2, power: 3 } as const;

let core: CoreModules;
beforeAll(async () => {
  core = await loadCore();
});

function machineWith(words: readonly number[]): Machine {
  const machine = new Machine({
    core,
    memory: createMachineMemory(core, memoryMib),
    memoryMib,
    devices: createDevices({ nics: [] }),
    emit: () => {},
  });
  put(machine, ramBase, words);
  machine.startFirmware();
  return machine;
}

function put(machine: Machine, address: number, words: readonly number[]): void {
  machine.guestMemory.write(address, new Uint8Array(Uint32Array.from(words).buffer));
}

function putDoubles(machine: Machine, address: number, values: readonly bigint[]): void {
  machine.guestMemory.write(address, new Uint8Array(BigUint64Array.from(values).buffer));
}

/** x31 becomes an address in RAM. */
const setTo = (rd: number, address: number): number[] => {
  const offset = address - ramBase;
  return [
    addi(rd, 0, 1),
    slli(rd, rd, 31),
    lui(30, offset >> 12),
    register(0, 0, rd, rd, 30),
    addi(rd, rd, offset & 0x7ff),
  ];
};

/** Registers and all entries from the table: 16 addresses, two words of configuration, mstatus, x10, x11, mepc. */
const setUp: readonly number[] = [
  ...setTo(31, table),
  ...Array.from({ length: 16 }, (_, i) => [load(3, 5, 31, i * 8), csr(1, 0, pmpaddr0 + i, 5)]).flat(),
  load(3, 5, 31, 128),
  csr(1, 0, pmpcfg0, 5),
  load(3, 5, 31, 136),
  csr(1, 0, pmpcfg2, 5),
  load(3, 10, 31, 152),
  load(3, 11, 31, 160),
  load(3, 5, 31, 168),
  csr(1, 0, mepc, 5),
  load(3, 5, 31, 144),
];

const trapsTo = (address: number): number[] => [...setTo(5, address), csr(1, 0, mtvec, 5)];
/** Loops there: a trap is the end. */
const trapVector = ramBase + 0x3000;

interface Entry {
  readonly config: number;
  /** As in pmpaddr: the address divided by four. */
  readonly address: bigint;
}

interface Given {
  readonly entries: readonly Entry[];
  /** mstatus as it is during the access. */
  readonly status: bigint;
  readonly code: readonly number[];
  readonly x10?: bigint;
  readonly mepc?: number;
}

/** Runs `code` behind the set-up. */
function runWith({ entries, status, code, x10 = 0n, mepc: entry = 0 }: Given, steps = 200): Machine {
  const machine = machineWith([...trapsTo(trapVector), ...setUp, csr(1, 0, mstatus, 5), ...code, jal(0, 0)]);
  put(machine, trapVector, [jal(0, 0)]);
  const addresses = Array.from({ length: 16 }, (_, i) => entries[i]?.address ?? 0n);
  const configs = Array.from({ length: 16 }, (_, i) => BigInt(entries[i]?.config ?? 0));
  const words = [0, 8].map((first) =>
    configs.slice(first, first + 8).reduce((sum, config, i) => sum | (config << BigInt(8 * i)), 0n),
  );
  putDoubles(machine, table, [...addresses, ...words, status, x10, 0n, BigInt(entry)]);
  machine.run(steps);
  return machine;
}

const config = (mode: keyof typeof modes, rights: number): number => (modes[mode] << 3) | rights;
const everything: Entry = { config: config('power', read | write | execute), address: (1n << 54n) - 1n };
/** A naturally aligned power of two of at least 8 bytes. */
const range = (address: number, bytes: number): bigint => BigInt(address / 4) | BigInt(bytes / 8 - 1);

const modifyPrivilege = 1n << 17n;
const previous = (privilege: number): bigint => BigInt(privilege) << 11n;

/** The first entry that covers the byte, by number. */
function entryOf(entries: readonly Entry[], byte: bigint): number {
  return entries.findIndex(({ config, address }, i) => {
    const mode = (config >> 3) & 3;
    if (mode === modes.off) return false;
    if (mode === modes.topOfRange)
      return byte >= (i === 0 ? 0n : (entries[i - 1]?.address ?? 0n) << 2n) && byte < address << 2n;
    if (mode === modes.four) return byte >> 2n === address;
    let ones = 0n;
    while (((address >> ones) & 1n) === 1n) ones += 1n;
    return byte >> (ones + 3n) === address >> (ones + 1n);
  });
}

function mayAccess(
  entries: readonly Entry[],
  at: bigint,
  bytes: number,
  privilege: number,
  right: number,
): boolean {
  const found = Array.from({ length: bytes }, (_, i) => entryOf(entries, at + BigInt(i)));
  const numbers = found.filter((entry) => entry >= 0);
  if (numbers.length === 0) return privilege === 3;
  const first = Math.min(...numbers);
  // All bytes are the first entry's, or the access fails.
  if (found.some((entry) => entry !== first)) return false;
  const { config } = entries[first] ?? { config: 0 };
  return (privilege === 3 && (config & locked) === 0) || (config & right) !== 0;
}

const arbitraryEntry: fc.Arbitrary<Entry> = fc.oneof(
  fc.record({
    config: fc.integer({ min: 0, max: 255 }).map((value) => value & 0x9f),
    address: fc.integer({ min: 0, max: windowBytes / 4 + 2 }).map((word) => BigInt(window / 4 + word)),
  }),
  fc.record({
    config: fc.integer({ min: 0, max: 7 }).map((rights) => config('power', rights)),
    address: fc
      .tuple(fc.integer({ min: 0, max: windowBytes / 8 - 1 }), fc.integer({ min: 0, max: 10 }))
      .map(([at, size]) => BigInt(window / 4 + at * 2) | ((1n << BigInt(size)) - 1n)),
  }),
);

/** A locked range from address 0 on would end the test's own code. */
function leaveCodeAlone([first, ...others]: readonly Entry[]): Entry[] {
  return first === undefined ? [] : [{ ...first, config: first.config & ~locked }, ...others];
}

describe('physical memory protection', () => {
  it('decides about every load and store by the first entry that has one of its bytes', () => {
    const kinds = [
      { right: read, cause: 5n, instruction: (width: number) => load(width, 12, 10, 0) },
      { right: write, cause: 7n, instruction: (width: number) => store(width, 11, 10, 0) },
    ];
    fc.assert(
      fc.property(
        fc.array(arbitraryEntry, { minLength: 1, maxLength: 16 }).map(leaveCodeAlone),
        fc.integer({ min: -8, max: windowBytes + 8 }),
        fc.integer({ min: 0, max: 3 }),
        fc.constantFrom(0, 1, 3),
        fc.constantFrom(...kinds),
        (entries, offset, width, privilege, { right, cause, instruction }) => {
          const at = BigInt(window + offset);
          const bytes = 1 << width;
          // An access that crosses a page is two, each judged by itself.
          const inFirst = Math.min(bytes, 4096 - Number(at % 4096n));
          const parts: [bigint, number][] = [[at, inFirst]];
          if (inFirst < bytes) parts.push([at + BigInt(inFirst), bytes - inFirst]);
          const refused = parts.find(([from, size]) => !mayAccess(entries, from, size, privilege, right));
          const machine = runWith({
            entries,
            status: modifyPrivilege | previous(privilege),
            code: [instruction(width)],
            x10: at,
          });
          expect(machine.stateWord('MCAUSE')).toBe(refused === undefined ? 0n : cause);
          if (refused !== undefined) expect(machine.stateWord('MTVAL')).toBe(refused[0]);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('lets nobody but M mode do anything when no entry matches', () => {
    const code = [load(3, 12, 10, 0)];
    const at = { entries: [], code, x10: BigInt(window) };
    expect(runWith({ ...at, status: modifyPrivilege | previous(3) }).stateWord('MCAUSE')).toBe(0n);
    expect(runWith({ ...at, status: modifyPrivilege | previous(1) }).stateWord('MCAUSE')).toBe(5n);
    const started = runWith({ entries: [], code: [mret], status: previous(1), mepc: window });
    expect([started.stateWord('MCAUSE'), started.stateWord('MEPC')]).toEqual([1n, BigInt(window)]);
  });

  it('ends at the very instruction that may not be executed', () => {
    const entries = [{ config: config('power', execute), address: range(window, 16) }];
    const machine = runWith({ entries, code: [mret], status: previous(0), mepc: window }, 10);
    put(machine, window, [addi(1, 0, 1), addi(2, 0, 2), addi(3, 0, 3), addi(4, 0, 4), addi(5, 0, 5)]);
    machine.run(300);
    expect([1, 2, 3, 4].map((x) => machine.register(x))).toEqual([1n, 2n, 3n, 4n]);
    expect([machine.stateWord('MCAUSE'), machine.stateWord('MEPC'), machine.stateWord('MTVAL')]).toEqual([
      1n,
      BigInt(window + 16),
      BigInt(window + 16),
    ]);
  });

  it('tells which half of an instruction may not be executed', () => {
    const entries = [{ config: config('power', execute), address: range(window, 8) }];
    const machine = runWith({ entries, code: [mret], status: previous(0), mepc: window + 2 }, 10);
    // c.nop at 0 and 2, then 4 bytes at 4, 2 bytes at 8... shifted by one half: the word at 6 is split.
    put(machine, window, [0x0001_0001, 0x0593_0001, 0x0001_0050]);
    machine.run(300);
    expect([machine.stateWord('MEPC'), machine.stateWord('MTVAL')]).toEqual([
      BigInt(window + 6),
      BigInt(window + 8),
    ]);
  });

  it('holds for what was allowed before, from the write of an entry on', () => {
    const supervisor = [load(3, 12, 10, 0), load(3, 13, 10, 8), ecall, load(3, 14, 10, 0)];
    const machine = runWith(
      { entries: [everything], code: [mret], status: previous(1), x10: BigInt(window), mepc: window + 4096 },
      10,
    );
    put(machine, window + 4096, supervisor);
    // The handler forbids the first page from reading, once, and goes on behind the call.
    put(machine, trapVector, [
      ...setTo(31, table),
      load(3, 5, 31, 176),
      csr(1, 0, pmpaddr0, 5),
      load(3, 5, 31, 184),
      csr(1, 0, pmpaddr0 + 1, 5),
      load(3, 5, 31, 192),
      csr(1, 0, pmpcfg0, 5),
      csr(2, 6, 0x342, 0),
      csr(2, 7, mepc, 0),
      addi(7, 7, 4),
      csr(1, 0, mepc, 7),
      ...setTo(5, trapVector + 0x100),
      csr(1, 0, mtvec, 5),
      mret,
    ]);
    put(machine, trapVector + 0x100, [jal(0, 0)]);
    putDoubles(machine, table + 176, [
      range(window, 4096),
      everything.address,
      BigInt(config('power', write) | (everything.config << 8)),
    ]);
    machine.run(300);
    expect([machine.register(6), machine.stateWord('MCAUSE'), machine.stateWord('MTVAL')]).toEqual([
      9n,
      5n,
      BigInt(window),
    ]);
  });

  it('keeps a locked entry, and the address that a locked range begins at, as they are', () => {
    const from = BigInt(window / 4);
    const entries = [
      { config: 0, address: from },
      { config: config('topOfRange', read) | locked, address: from + 4n },
    ];
    const code = [
      ...[0, 1, 2].flatMap((i) => [csr(1, 0, pmpaddr0 + i, 0), csr(2, 20 + i, pmpaddr0 + i, 0)]),
      csr(1, 0, pmpcfg0, 0),
      csr(2, 23, pmpcfg0, 0),
      load(2, 24, 10, 0),
      store(2, 0, 10, 0),
    ];
    const machine = runWith({ entries, code, status: 0n, x10: BigInt(window) });
    expect([20, 21, 22].map((x) => machine.register(x))).toEqual([from, from + 4n, 0n]);
    expect(machine.register(23)).toBe(BigInt(config('topOfRange', read) | locked) << 8n);
    // It binds M mode too: the load went, the store did not.
    expect([machine.stateWord('MCAUSE'), machine.stateWord('MTVAL')]).toEqual([7n, BigInt(window)]);
  });

  it('applies to page tables as to accesses of S mode', () => {
    const leaf = (BigInt(ramBase >>> 12) << 10n) | 0x0fn;
    const [accessed, dirty] = [0x40n, 0x80n];
    const root = window;
    // One gigabyte, mapped onto itself, by an entry in a page that is protected.
    const code = [load(3, 5, 31, 200), csr(1, 0, satp, 5), sfenceAll, mret];
    const causeWith = (rights: number, marks: bigint): bigint => {
      const entries = [{ config: config('power', rights), address: range(root, 4096) }, everything];
      const status = previous(1);
      const machine = runWith({ entries, code, status, x10: BigInt(ramBase), mepc: ramBase + 0x3800 }, 10);
      putDoubles(machine, table + 200, [(8n << 60n) | BigInt(root >>> 12)]);
      putDoubles(machine, root + 2 * 8, [leaf | marks]);
      put(machine, ramBase + 0x3800, [load(3, 12, 10, 0), store(3, 0, 10, 0x700), jal(0, 0)]);
      machine.run(300);
      return machine.stateWord('MCAUSE');
    };
    expect(causeWith(read | write, 0n)).toBe(0n);
    expect(causeWith(read, accessed | dirty)).toBe(0n);
    expect(causeWith(0, accessed | dirty)).toBe(1n);
    // The table is readable, but the marks cannot be set.
    expect(causeWith(read, 0n)).toBe(1n);
    expect(causeWith(read, accessed)).toBe(7n);
  });
});
