/**
 * Zba, Zbb and Zbs as a guest sees them: every instruction on a real machine, against what the manual says it does,
 * bit by bit. Words are those of the manual's encodings, not of the table.
 */
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { addi } from '../test-support/encode.ts';
import { bits64, createOperandRun, type OperandRun } from '../test-support/operand-run.ts';

type Reference = (a: bigint, b: bigint) => bigint;

const mask64 = (1n << 64n) - 1n;
const signed = (width: number, value: bigint): bigint => BigInt.asUintN(64, BigInt.asIntN(width, value));
const unsigned = (width: number, value: bigint): bigint => BigInt.asUintN(width, value);
const bits = (width: number, value: bigint): readonly boolean[] =>
  Array.from({ length: width }, (_, index) => ((value >> BigInt(index)) & 1n) === 1n);
const ones = (width: number, value: bigint): bigint => BigInt(bits(width, value).filter((bit) => bit).length);
/** Zeroes before the first one. */
const zeroesIn = (those: readonly boolean[]): bigint =>
  BigInt(those.indexOf(true) < 0 ? those.length : those.indexOf(true));
const trailing = (width: number, value: bigint): bigint => zeroesIn(bits(width, value));
const leading = (width: number, value: bigint): bigint => zeroesIn(bits(width, value).toReversed());
const bytes = (value: bigint): readonly bigint[] =>
  Array.from({ length: 8 }, (_, index) => (value >> BigInt(index * 8)) & 0xffn);
const fromBytes = (those: readonly bigint[]): bigint =>
  those.reduce((sum, byte, index) => sum | (byte << BigInt(index * 8)), 0n);

function rotatedRight(width: number, value: bigint, amount: bigint): bigint {
  const count = amount % BigInt(width);
  const word = unsigned(width, value);
  return unsigned(width, (word >> count) | (word << (BigInt(width) - count)));
}

function rotatedLeft(width: number, value: bigint, amount: bigint): bigint {
  return rotatedRight(width, value, BigInt(width) - (amount % BigInt(width)));
}

const [immediate, wordImmediate] = [37n, 21n];

/** rd = x7, rs1 = x5, rs2 = x6; shift amounts are 37, in RORIW 21. */
const instructions: Readonly<Record<string, readonly [word: number, reference: Reference]>> = {
  'add.uw': [0x0862_83bb, (a, b) => unsigned(64, unsigned(32, a) + b)],
  sh1add: [0x2062_a3b3, (a, b) => unsigned(64, (a << 1n) + b)],
  sh2add: [0x2062_c3b3, (a, b) => unsigned(64, (a << 2n) + b)],
  sh3add: [0x2062_e3b3, (a, b) => unsigned(64, (a << 3n) + b)],
  'sh1add.uw': [0x2062_a3bb, (a, b) => unsigned(64, (unsigned(32, a) << 1n) + b)],
  'sh2add.uw': [0x2062_c3bb, (a, b) => unsigned(64, (unsigned(32, a) << 2n) + b)],
  'sh3add.uw': [0x2062_e3bb, (a, b) => unsigned(64, (unsigned(32, a) << 3n) + b)],
  'slli.uw': [0x0a52_939b, (a) => unsigned(64, unsigned(32, a) << immediate)],
  andn: [0x4062_f3b3, (a, b) => a & (b ^ mask64)],
  orn: [0x4062_e3b3, (a, b) => a | (b ^ mask64)],
  xnor: [0x4062_c3b3, (a, b) => a ^ b ^ mask64],
  clz: [0x6002_9393, (a) => leading(64, a)],
  clzw: [0x6002_939b, (a) => leading(32, a)],
  ctz: [0x6012_9393, (a) => trailing(64, a)],
  ctzw: [0x6012_939b, (a) => trailing(32, a)],
  cpop: [0x6022_9393, (a) => ones(64, a)],
  cpopw: [0x6022_939b, (a) => ones(32, a)],
  max: [0x0a62_e3b3, (a, b) => (BigInt.asIntN(64, a) < BigInt.asIntN(64, b) ? b : a)],
  maxu: [0x0a62_f3b3, (a, b) => (a < b ? b : a)],
  min: [0x0a62_c3b3, (a, b) => (BigInt.asIntN(64, a) < BigInt.asIntN(64, b) ? a : b)],
  minu: [0x0a62_d3b3, (a, b) => (a < b ? a : b)],
  'sext.b': [0x6042_9393, (a) => signed(8, a)],
  'sext.h': [0x6052_9393, (a) => signed(16, a)],
  'zext.h': [0x0802_c3bb, (a) => unsigned(16, a)],
  rol: [0x6062_93b3, (a, b) => rotatedLeft(64, a, b)],
  rolw: [0x6062_93bb, (a, b) => signed(32, rotatedLeft(32, a, b))],
  ror: [0x6062_d3b3, (a, b) => rotatedRight(64, a, b)],
  rori: [0x6252_d393, (a) => rotatedRight(64, a, immediate)],
  roriw: [0x6152_d39b, (a) => signed(32, rotatedRight(32, a, wordImmediate))],
  rorw: [0x6062_d3bb, (a, b) => signed(32, rotatedRight(32, a, b))],
  'orc.b': [0x2872_d393, (a) => fromBytes(bytes(a).map((byte) => (byte === 0n ? 0n : 0xffn)))],
  rev8: [0x6b82_d393, (a) => fromBytes(bytes(a).toReversed())],
  bclr: [0x4862_93b3, (a, b) => a & ((1n << (b % 64n)) ^ mask64)],
  bclri: [0x4a52_9393, (a) => a & ((1n << immediate) ^ mask64)],
  bext: [0x4862_d3b3, (a, b) => (a >> (b % 64n)) & 1n],
  bexti: [0x4a52_d393, (a) => (a >> immediate) & 1n],
  binv: [0x6862_93b3, (a, b) => a ^ (1n << (b % 64n))],
  binvi: [0x6a52_9393, (a) => a ^ (1n << immediate)],
  bset: [0x2862_93b3, (a, b) => a | (1n << (b % 64n))],
  bseti: [0x2a52_9393, (a) => a | (1n << immediate)],
};

/** Near these: what is left undefined by a shift or a count somewhere. */
const operand = fc.oneof(
  bits64,
  fc.constantFrom(0n, 1n, 31n, 32n, 63n, 64n, 0x8000_0000n, 0xffff_ffffn, 1n << 63n, mask64, 0x80n, 0x8000n),
  fc.nat({ max: 63 }).map((index) => 1n << BigInt(index)),
);

let run: OperandRun;

beforeAll(async () => {
  run = await createOperandRun();
});

describe('bit manipulation', () => {
  it('does what the manual says, each instruction on any operands', () => {
    const names = Object.keys(instructions);
    const words = Object.values(instructions).map(([word]) => word);
    expect(names).toHaveLength(40);
    fc.assert(
      fc.property(operand, operand, (a, b) => {
        const expected = Object.values(instructions).map(([, reference]) => reference(a, b));
        const found = run.resultsOf(words, a, b);
        expect(Object.fromEntries(names.map((name, index) => [name, found[index]]))).toEqual(
          Object.fromEntries(names.map((name, index) => [name, expected[index]])),
        );
      }),
      { numRuns: 500 },
    );
  });

  it('leaves x0 alone', () => {
    const toZero = Object.values(instructions).map(([word]) => (word & ~0xf80) >>> 0);
    run.execute([addi(5, 0, -1), addi(6, 0, 5), ...toZero]);
    expect(run.machine.programCounter).toBe(0x8000_0000n + BigInt(2 + toZero.length) * 4n);
    expect(run.machine.register(0)).toBe(0n);
  });

  it.each([
    ['a count that is none of the three', 0x6032_9393],
    ['a count with bit 25', 0x6202_9393],
    ["sext.b's place among the words", 0x6042_939b],
    ['orc of other sizes', 0x2862_d393],
    ["RV32's rev8", 0x6982_d393],
    ['brev8, of Zbkb', 0x6872_d393],
    ["RV32's zext.h", 0x0802_c3b3],
    ['packw, of Zbkb', 0x0862_c3bb],
    ['clmul, of Zbc', 0x0a62_93b3],
    ['roriw by 32 and more', 0x6252_d39b],
    ['slli.uw with bit 31', 0x8a52_939b],
  ])('refuses %s', (_, word) => {
    run.execute([word]);
    expect(run.machine.stateWord('MCAUSE')).toBe(2n);
    expect(run.machine.stateWord('MTVAL')).toBe(BigInt(word));
  });
});
