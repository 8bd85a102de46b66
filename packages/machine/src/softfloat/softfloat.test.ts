/**
 * The core's F and D arithmetic against the exact reference, in all rounding modes, and against JavaScript's
 * own numbers as a second witness. SKEIN_SOFTFLOAT_SEED repeats a run with the seed that its titles show.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { Differential, formats, fusedMnemonics, runOnUnit } from './differential.ts';
import { type FloatUnit, loadFloatUnit } from './float-unit.ts';
import type { Mnemonic } from './instruction.ts';
import { cornerValues, OperandSource } from './operands.ts';
import { type BinaryFormat, binary32, binary64, flag, roundingModes } from './reference-value.ts';

const seed = Number(process.env.SKEIN_SOFTFLOAT_SEED ?? Math.floor(Math.random() * 2 ** 31));
const randomCount = 1500;

const arithmetic = ['fadd', 'fsub', 'fmul', 'fdiv'] as const;
const ordering = ['feq', 'flt', 'fle', 'fmin', 'fmax', 'fsgnj', 'fsgnjn', 'fsgnjx'] as const;
const toInteger = ['fcvt.w', 'fcvt.wu', 'fcvt.l', 'fcvt.lu'] as const;
const fromInteger = ['fcvt.from.w', 'fcvt.from.wu', 'fcvt.from.l', 'fcvt.from.lu'] as const;

let unit: FloatUnit;
beforeAll(async () => {
  unit = await loadFloatUnit();
}, 90_000);

describe.each(formats)('soft-float of format $name', (format) => {
  const corners = cornerValues(format);
  const other = format === binary32 ? binary64 : binary32;
  const convert: Mnemonic = format === binary32 ? 'fcvt.from.d' : 'fcvt.from.s';

  it.each(arithmetic)('%s equals the reference on all pairs of corner values', (mnemonic) => {
    const differential = new Differential(unit);
    for (const a of corners) {
      for (const b of corners) {
        for (const mode of roundingModes) differential.check(mnemonic, format, mode, { a, b });
      }
    }
    expect(differential.differences).toEqual([]);
    expect(differential.compared).toBe(corners.length ** 2 * roundingModes.length);
  });

  it.each(arithmetic)(`%s equals the reference on random operands (seed ${seed})`, (mnemonic) => {
    const source = new OperandSource(seed);
    const differential = new Differential(unit);
    for (let count = 0; count < randomCount; count++) {
      const [a, b] = randomPair(source, format);
      for (const mode of roundingModes) differential.check(mnemonic, format, mode, { a, b });
    }
    expect(differential.differences).toEqual([]);
  });

  it.each(fusedMnemonics)(`%s rounds once, like the reference (seed ${seed})`, (mnemonic) => {
    const source = new OperandSource(seed);
    const differential = new Differential(unit);
    for (let count = 0; count < randomCount; count++) {
      const [a, b] = randomPair(source, format);
      const operands = { a, b, c: addendFor(source, a, b, format) };
      for (const mode of roundingModes) differential.check(mnemonic, format, mode, operands);
      const triple = { a: source.pick(corners), b: source.pick(corners), c: source.pick(corners) };
      for (const mode of roundingModes) differential.check(mnemonic, format, mode, triple);
    }
    expect(differential.differences).toEqual([]);
  });

  it('keeps what a fused sum leaves of a product, however far below its leading bit', () => {
    const differential = new Differential(unit);
    const one = format.exponentMax << format.fractionBits;
    const signBit = 1n << (format.width - 1n);
    // (1 + 2^-k) * (1 +- 2^-m), less itself rounded, leaves one bit at any of the product's places.
    for (let k = 0n; k < format.fractionBits; k++) {
      for (let m = 0n; m < format.fractionBits; m++) {
        for (const b of [one + (1n << m), one - (1n << m)]) {
          const a = one + (1n << k);
          const product = runOnUnit(unit, 'fmul', format, 'RNE', { a, b }).bits;
          differential.check('fmadd', format, 'RNE', { a, b, c: product ^ signBit });
        }
      }
    }
    expect(differential.differences).toEqual([]);
  });

  it(`square roots equal the reference (seed ${seed})`, () => {
    const source = new OperandSource(seed);
    const differential = new Differential(unit);
    const randoms = Array.from({ length: randomCount }, () => source.float(format));
    for (const a of [...corners, ...randoms, ...squaresAndNeighbours(source, format)]) {
      for (const mode of roundingModes) differential.check('fsqrt', format, mode, { a });
    }
    expect(differential.differences).toEqual([]);
  });

  it.each(ordering)(`%s equals the reference (seed ${seed})`, (mnemonic) => {
    const source = new OperandSource(seed);
    const differential = new Differential(unit);
    for (const a of corners) {
      for (const b of corners) differential.check(mnemonic, format, 'RNE', { a, b });
    }
    for (let count = 0; count < randomCount; count++) {
      const [a, b] = randomPair(source, format);
      differential.check(mnemonic, format, 'RNE', { a, b });
    }
    expect(differential.differences).toEqual([]);
  });

  it.each(toInteger)(`%s equals the reference (seed ${seed})`, (mnemonic) => {
    const source = new OperandSource(seed);
    const differential = new Differential(unit);
    const randoms = Array.from({ length: randomCount }, () => source.float(format));
    for (const a of [...corners, ...randoms, ...nearIntegers(source, format)]) {
      for (const mode of roundingModes) differential.check(mnemonic, format, mode, { a });
    }
    expect(differential.differences).toEqual([]);
  });

  it.each(fromInteger)(`%s equals the reference (seed ${seed})`, (mnemonic) => {
    const source = new OperandSource(seed);
    const differential = new Differential(unit);
    const randoms = Array.from({ length: randomCount }, () => source.integer());
    for (const integer of [0n, 1n, 2n ** 63n, 2n ** 64n - 1n, 2n ** 31n, 2n ** 32n - 1n, ...randoms]) {
      for (const mode of roundingModes) differential.check(mnemonic, format, mode, { integer });
    }
    expect(differential.differences).toEqual([]);
  });

  it(`conversion from the other format equals the reference (seed ${seed})`, () => {
    const source = new OperandSource(seed);
    const differential = new Differential(unit);
    const randoms = Array.from({ length: randomCount }, () => source.float(other));
    const near = format === binary32 ? Array.from({ length: randomCount }, () => nearBinary32(source)) : [];
    for (const a of [...cornerValues(other), ...randoms, ...near]) {
      for (const mode of roundingModes) differential.check(convert, format, mode, { a });
    }
    expect(differential.differences).toEqual([]);
  });

  it(`classes and moves equal the reference (seed ${seed})`, () => {
    const source = new OperandSource(seed);
    const differential = new Differential(unit);
    for (const a of [...corners, ...Array.from({ length: randomCount }, () => source.float(format))]) {
      differential.check('fclass', format, 'RNE', { a });
      differential.check('fmv.to.x', format, 'RNE', { a });
      differential.check('fmv.from.x', format, 'RNE', { integer: source.bits64() });
    }
    expect(differential.differences).toEqual([]);
  });
});

describe('soft-float beside JavaScript numbers', () => {
  const operations = {
    fadd: (a: number, b: number) => a + b,
    fsub: (a: number, b: number) => a - b,
    fmul: (a: number, b: number) => a * b,
    fdiv: (a: number, b: number) => a / b,
    fsqrt: (a: number) => Math.sqrt(a),
  };
  const mnemonics = Object.keys(operations) as (keyof typeof operations)[];

  it.each(mnemonics)(`%s rounded to nearest is what JavaScript computes (seed ${seed})`, (mnemonic) => {
    const source = new OperandSource(seed);
    const compute = operations[mnemonic];
    for (let count = 0; count < 5000; count++) {
      const [a, b] = randomPair(source, binary64);
      const actual = runOnUnit(unit, mnemonic, binary64, 'RNE', { a, b });
      expect(numberOf(actual.bits)).toBe(compute(numberOf(a), numberOf(b)));
    }
  });

  it.each(mnemonics)(`%s of format S is JavaScript's, rounded by Math.fround (seed ${seed})`, (mnemonic) => {
    // Double rounding is harmless here: 53 bits are more than twice 24 and two.
    const source = new OperandSource(seed);
    const compute = operations[mnemonic];
    for (let count = 0; count < 5000; count++) {
      const [a, b] = randomPair(source, binary32);
      const actual = runOnUnit(unit, mnemonic, binary32, 'RNE', { a, b });
      expect(numberOf32(actual.bits)).toBe(Math.fround(compute(numberOf32(a), numberOf32(b))));
    }
  });
});

describe('what the specification says by example', () => {
  it('detects tininess after rounding: what a wider exponent range would carry to normal is not tiny', () => {
    const normalMin = bitsOf(2 ** -1022);
    // (1 - 2^-53) * 2^-1022 fits 53 bits without rounding and stays below the normal range: tiny.
    const tiny = runOnUnit(unit, 'fmul', binary64, 'RNE', { a: normalMin, b: bitsOf(1 - 2 ** -53) });
    expect(tiny).toEqual({ bits: normalMin, flags: flag.inexact | flag.underflow });
    // (1 - 2^-54) * 2^-1022, as a fused product and sum, rounds up to 2^-1022 in 53 bits: not tiny.
    const carried = { a: bitsOf(2 ** -511 * (1 + 2 ** -27)), b: bitsOf(2 ** -511 * (1 - 2 ** -27)), c: 0n };
    expect(runOnUnit(unit, 'fmadd', binary64, 'RNE', carried)).toEqual({
      bits: normalMin,
      flags: flag.inexact,
    });
    const towardsZero = runOnUnit(unit, 'fmadd', binary64, 'RTZ', carried);
    expect(towardsZero).toEqual({ bits: normalMin - 1n, flags: flag.inexact | flag.underflow });
  });

  it.each([
    ['fcvt.w', 0x7fff_ffffn, 0xffff_ffff_8000_0000n],
    ['fcvt.wu', 0xffff_ffff_ffff_ffffn, 0n],
    ['fcvt.l', 0x7fff_ffff_ffff_ffffn, 0x8000_0000_0000_0000n],
    ['fcvt.lu', 0xffff_ffff_ffff_ffffn, 0n],
  ] as const)('%s saturates and raises NV alone', (mnemonic, highest, lowest) => {
    for (const value of [1e30, Number.POSITIVE_INFINITY, Number.NaN]) {
      const actual = runOnUnit(unit, mnemonic, binary64, 'RTZ', { a: bitsOf(value) });
      expect(actual).toEqual({ bits: highest, flags: flag.invalid });
    }
    for (const value of [-1e30, Number.NEGATIVE_INFINITY]) {
      const actual = runOnUnit(unit, mnemonic, binary64, 'RTZ', { a: bitsOf(value) });
      expect(actual).toEqual({ bits: lowest, flags: flag.invalid });
    }
  });

  it('is inexact, not invalid, to convert a negative fraction that rounds to an unsigned zero', () => {
    const half = runOnUnit(unit, 'fcvt.wu', binary64, 'RNE', { a: bitsOf(-0.5) });
    expect(half).toEqual({ bits: 0n, flags: flag.inexact });
    const one = runOnUnit(unit, 'fcvt.wu', binary64, 'RDN', { a: bitsOf(-0.5) });
    expect(one).toEqual({ bits: 0n, flags: flag.invalid });
  });

  it('is invalid to multiply infinity by zero even where a quiet NaN is added', () => {
    const operands = { a: bitsOf(Number.POSITIVE_INFINITY), b: 0n, c: bitsOf(Number.NaN) };
    expect(runOnUnit(unit, 'fmadd', binary64, 'RNE', operands).flags).toBe(flag.invalid);
  });
});

function randomPair(source: OperandSource, format: BinaryFormat): [bigint, bigint] {
  const a = source.float(format);
  const choice = source.below(4);
  if (choice === 0) return [a, source.neighbour(a, format)];
  if (choice === 1) return [a, source.halfUnitOf(a, format)];
  return [a, source.float(format)];
}

/** Often near the product, or half a unit of it, so that much cancels or all depends on one bit. */
function addendFor(source: OperandSource, a: bigint, b: bigint, format: BinaryFormat): bigint {
  const product = runOnUnit(unit, 'fmul', format, 'RNE', { a, b }).bits;
  const choice = source.below(4);
  if (choice === 0) return source.neighbour(product, format);
  if (choice === 1) return source.halfUnitOf(product, format);
  return source.float(format);
}

function squaresAndNeighbours(source: OperandSource, format: BinaryFormat): bigint[] {
  return Array.from({ length: 500 }, () => {
    const a = source.float(format);
    const square = runOnUnit(unit, 'fmul', format, 'RNE', { a, b: a }).bits;
    return square + BigInt(source.below(3) - 1) * (square === 0n ? 0n : 1n);
  });
}

/** Integers, halves and quarters, as far as the format has them. */
function nearIntegers(source: OperandSource, format: BinaryFormat): bigint[] {
  return Array.from({ length: randomCount }, () => {
    const value = Number(BigInt.asIntN(64, source.integer())) * source.pick([1, 0.5, 0.25]);
    return format === binary32 ? bitsOf32(value) : bitsOf(value);
  });
}

/** Binary64 at, next to, and half a unit from a binary32. */
function nearBinary32(source: OperandSource): bigint {
  const bits = bitsOf(numberOf32(source.float(binary32)));
  return BigInt.asUintN(64, bits + BigInt(source.below(3) - 1) + source.pick([0n, 1n << 28n]));
}

const view = new DataView(new ArrayBuffer(8));

function numberOf(bits: bigint): number {
  view.setBigUint64(0, bits);
  return view.getFloat64(0);
}

function bitsOf(value: number): bigint {
  view.setFloat64(0, value);
  return view.getBigUint64(0);
}

function numberOf32(bits: bigint): number {
  view.setUint32(0, Number(bits));
  return view.getFloat32(0);
}

function bitsOf32(value: number): bigint {
  view.setFloat32(0, value);
  return BigInt(view.getUint32(0));
}
