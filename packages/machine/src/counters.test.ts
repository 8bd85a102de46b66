import { beforeAll, describe, expect, it } from 'vitest';
import { type CoreModules, createMachineMemory, loadCore } from './core-module.ts';
import { createDevices } from './devices/create-devices.ts';
import { Machine } from './machine.ts';
import { addi, csr, ecall, lui, register, slli, store } from './test-support/encode.ts';

const memoryMib = 64;
const ramBase = 0x8000_0000;
const dataAddress = ramBase + 0x1000;
const [a0, a1, a6, a7, s0] = [10, 11, 16, 17, 8];
const csrs = { mcountinhibit: 0x320, mcycle: 0xb00, minstret: 0xb02, cycle: 0xc00, instret: 0xc02 } as const;
const [success, notSupported, invalidParameter, alreadyStarted, alreadyStopped] = [0n, -2n, -3n, -7n, -8n];
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
  machine.guestMemory.write(ramBase, new Uint8Array(Uint32Array.from(words).buffer));
  return machine;
}

const read = (rd: number, number: number): number => csr(2, rd, number, 0);
const write = (number: number, rs1: number): number => csr(1, 0, number, rs1);

/** Runs the words in M mode; the values of the registers a0, a1, ... that they leave. */
function registersAfter(words: readonly number[], count: number): readonly bigint[] {
  const machine = machineWith(words);
  machine.startFirmware();
  machine.run(words.length);
  return Array.from({ length: count }, (_, index) => machine.register(a0 + index));
}

const nothing = addi(0, 0, 0);
/** An address in RAM's first megabytes: lui alone would extend the sign. Uses x9. */
const loadAddress = (rd: number, address: number): number[] => [
  addi(rd, 0, 1),
  slli(rd, rd, 31),
  lui(9, (address - ramBase) >>> 12),
  addi(9, 9, address & 0xfff),
  register(0, 0, rd, rd, 9),
];

/** A call of the PMU extension, or an instruction on its own. */
type Step = number | { readonly call: number; readonly args: readonly number[] };

/** Does the steps in S mode; error and value of each call. */
function answersTo(steps: readonly Step[]): readonly (readonly [error: bigint, value: bigint])[] {
  const words = loadAddress(s0, dataAddress);
  let calls = 0;
  for (const step of steps) {
    if (typeof step === 'number') {
      words.push(step);
      continue;
    }
    words.push(lui(a7, 0x505), addi(a7, a7, 0xd55 - 0x1000), addi(a6, 0, step.call));
    for (let index = 0; index < 5; index++) words.push(addi(a0 + index, 0, step.args[index] ?? 0));
    words.push(ecall, store(3, a0, s0, calls * 16), store(3, a1, s0, calls * 16 + 8));
    calls++;
  }
  const machine = machineWith(words);
  machine.startSupervisor(BigInt(ramBase), 0n);
  machine.run(words.length);
  const bytes = machine.guestMemory.readable(dataAddress, calls * 16).slice();
  const found = new BigInt64Array(bytes.buffer);
  return Array.from({ length: calls }, (_, index) => [found[index * 2] ?? 0n, found[index * 2 + 1] ?? 0n]);
}

const configure = (mask: number, flags: number, event: number): Step => ({
  call: 2,
  args: [0, mask, flags, event],
});
const start = (mask: number, flags = 0, value = 0): Step => ({ call: 3, args: [0, mask, flags, value] });
const stop = (mask: number): Step => ({ call: 4, args: [0, mask, 0] });

describe('mcycle and minstret', () => {
  it('stand still while they are inhibited, each by its own bit, and go on from there', () => {
    const [first, still, gone, cycles] = registersAfter(
      [
        addi(5, 0, 4),
        write(csrs.mcountinhibit, 5),
        read(a0, csrs.minstret),
        nothing,
        nothing,
        read(a0 + 1, csrs.minstret),
        write(csrs.mcountinhibit, 0),
        nothing,
        read(a0 + 2, csrs.minstret),
        read(a0 + 3, csrs.mcycle),
      ],
      4,
    );
    // Stopped after one instruction; the nothing after the start is counted, what starts and stops is not.
    expect([first, still, gone, cycles]).toEqual([1n, 1n, 2n, 9n]);
  });

  it('are written while they stand still', () => {
    const [written, later] = registersAfter(
      [
        addi(5, 0, 1),
        write(csrs.mcountinhibit, 5),
        addi(6, 0, 1000),
        write(csrs.mcycle, 6),
        nothing,
        read(a0, csrs.mcycle),
        write(csrs.mcountinhibit, 0),
        read(a0 + 1, csrs.mcycle),
      ],
      2,
    );
    expect([written, later]).toEqual([1000n, 1000n]);
  });

  it('count no trap as an instruction, and nothing at all while inhibited', () => {
    // An ecall in M mode comes to mtvec, which is where the next instruction stands.
    const handler = ramBase + 9 * 4;
    const words = [
      ...loadAddress(7, handler),
      write(0x305, 7),
      addi(5, 0, 4),
      write(csrs.mcountinhibit, 5),
      ecall,
      read(a0, csrs.minstret),
    ];
    expect(registersAfter(words, 1)).toEqual([7n]);
    expect(registersAfter(words.with(6, addi(5, 0, 0)), 1)).toEqual([8n]);
  });
});

describe("the SBI's performance monitoring", () => {
  it('has two counters, which are the CSRs cycle and instret of 64 bits', () => {
    const info = (counter: number): Step => ({ call: 1, args: [counter] });
    expect(answersTo([{ call: 0, args: [] }, info(0), info(1), info(2)])).toEqual([
      [success, 2n],
      [success, BigInt(csrs.cycle | (63 << 12))],
      [success, BigInt(csrs.instret | (63 << 12))],
      [invalidParameter, 0n],
    ]);
  });

  it('finds the counter for cycles and for instructions, and none for other events', () => {
    expect(
      answersTo([
        configure(3, 0, 1),
        configure(3, 0, 2),
        configure(1, 0, 2),
        configure(3, 0, 3),
        configure(4, 0, 1),
      ]),
    ).toEqual([
      [success, 0n],
      [success, 1n],
      [notSupported, 0n],
      [notSupported, 0n],
      [invalidParameter, 0n],
    ]);
  });

  it('starts and stops them, and says when they were so already', () => {
    const answers = answersTo([
      start(3),
      stop(3),
      stop(2),
      start(1),
      start(3),
      stop(0),
      { call: 5, args: [0] },
      { call: 7, args: [] },
    ]);
    expect(answers.map(([error]) => error)).toEqual([
      alreadyStarted,
      success,
      alreadyStopped,
      success,
      alreadyStarted,
      invalidParameter,
      invalidParameter,
      notSupported,
    ]);
  });

  it('counts from the value it is given, between start and stop alone', () => {
    const machine = machineWith([]);
    const words = [
      ...[
        lui(a7, 0x505),
        addi(a7, a7, 0xd55 - 0x1000),
        addi(a6, 0, 4),
        addi(a0, 0, 0),
        addi(a1, 0, 2),
        ecall,
      ],
      ...[addi(a6, 0, 3), addi(a0, 0, 0), addi(a1, 0, 2), addi(12, 0, 1), addi(13, 0, 500), ecall],
      ...[nothing, nothing, nothing],
      ...[addi(a6, 0, 4), addi(a0, 0, 0), addi(a1, 0, 2), ecall],
      read(5, csrs.instret),
      nothing,
      read(6, csrs.instret),
    ];
    machine.guestMemory.write(ramBase, new Uint8Array(Uint32Array.from(words).buffer));
    machine.startSupervisor(BigInt(ramBase), 0n);
    machine.run(words.length);
    expect([machine.register(5), machine.register(6)]).toEqual([506n, 506n]);
  });
});
