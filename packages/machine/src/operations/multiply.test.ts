/**
 * Multiplication and division as a guest sees them, on operands at the bounds of their widths: every instruction on a
 * real machine, against what the manual says. Words are those of the manual's encodings, not of the table.
 */
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { bits64, createOperandRun, type OperandRun } from '../test-support/operand-run.ts';

type Reference = (a: bigint, b: bigint) => bigint;

const signed64 = (value: bigint): bigint => BigInt.asIntN(64, value);
const unsigned64 = (value: bigint): bigint => BigInt.asUintN(64, value);
const signed32 = (value: bigint): bigint => BigInt.asIntN(32, value);
const unsigned32 = (value: bigint): bigint => BigInt.asUintN(32, value);
/** A 32-bit result in a register. */
const word = (value: bigint): bigint => unsigned64(signed32(value));
const allOnes = unsigned64(-1n);

const quotient = (a: bigint, b: bigint): bigint => (b === 0n ? -1n : a / b);
const remainder = (a: bigint, b: bigint): bigint => (b === 0n ? a : a % b);

/** rd = x7, rs1 = x5, rs2 = x6. The quotient of the lowest number and -1 does not fit and wraps to itself. */
const instructions: Readonly<Record<string, readonly [word: number, reference: Reference]>> = {
  mul: [0x0262_83b3, (a, b) => unsigned64(a * b)],
  mulh: [0x0262_93b3, (a, b) => unsigned64((signed64(a) * signed64(b)) >> 64n)],
  mulhsu: [0x0262_a3b3, (a, b) => unsigned64((signed64(a) * b) >> 64n)],
  mulhu: [0x0262_b3b3, (a, b) => (a * b) >> 64n],
  div: [0x0262_c3b3, (a, b) => unsigned64(quotient(signed64(a), signed64(b)))],
  divu: [0x0262_d3b3, (a, b) => (b === 0n ? allOnes : a / b)],
  rem: [0x0262_e3b3, (a, b) => unsigned64(remainder(signed64(a), signed64(b)))],
  remu: [0x0262_f3b3, (a, b) => remainder(a, b)],
  mulw: [0x0262_83bb, (a, b) => word(a * b)],
  divw: [0x0262_c3bb, (a, b) => word(quotient(signed32(a), signed32(b)))],
  divuw: [0x0262_d3bb, (a, b) => word(quotient(unsigned32(a), unsigned32(b)))],
  remw: [0x0262_e3bb, (a, b) => word(remainder(signed32(a), signed32(b)))],
  remuw: [0x0262_f3bb, (a, b) => word(remainder(unsigned32(a), unsigned32(b)))],
};

const bounds = [0n, 1n, 2n, 1n << 31n, 1n << 32n, 1n << 63n].flatMap((bound) =>
  [-1n, 0n, 1n].flatMap((off) => [unsigned64(bound + off), unsigned64(-bound + off), word(bound + off)]),
);

let run: OperandRun;

beforeAll(async () => {
  run = await createOperandRun();
});

function expectAll(a: bigint, b: bigint): void {
  const words = Object.values(instructions).map(([bits]) => bits);
  const found = run.resultsOf(words, a, b);
  const names = Object.keys(instructions);
  expect(Object.fromEntries(names.map((name, index) => [name, found[index]])), `${a} and ${b}`).toEqual(
    Object.fromEntries(Object.entries(instructions).map(([name, [, reference]]) => [name, reference(a, b)])),
  );
}

describe('multiplication and division', () => {
  it('are what the manual says at all bounds of the widths, against each other', () => {
    for (const a of bounds) for (const b of bounds) expectAll(a, b);
  });

  it('are what the manual says on any operands', () => {
    fc.assert(
      fc.property(
        fc.oneof(bits64, fc.constantFrom(...bounds)),
        fc.oneof(bits64, fc.nat(20).map(BigInt)),
        expectAll,
      ),
      { numRuns: 300 },
    );
  });
});
