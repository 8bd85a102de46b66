/**
 * Test reference: what each F and D instruction gives, from exact ratios rounded once. No NaN boxing and no
 * encodings, which the tests of the decoder state themselves.
 * Source: IEEE 754-2019, "Operations"; RISC-V Unprivileged ISA 20240411, "F" and "D" extensions.
 */
import {
  type BinaryFormat,
  binary32,
  binary64,
  bitLength,
  canonicalNanBits,
  decodeFloat,
  type FloatValue,
  flag,
  infinityBits,
  type Outcome,
  type Ratio,
  type RoundingMode,
  roundToFormat,
  roundToQuantum,
  type Sign,
  signBits,
} from './reference-value.ts';

export type BinaryOperation = 'fadd' | 'fsub' | 'fmul' | 'fdiv';
export type FusedOperation = 'fmadd' | 'fmsub' | 'fnmsub' | 'fnmadd';
export type Comparison = 'feq' | 'flt' | 'fle';
export type IntegerType = 'w' | 'wu' | 'l' | 'lu';

export function referenceBinary(
  operation: BinaryOperation,
  a: bigint,
  b: bigint,
  mode: RoundingMode,
  format: BinaryFormat,
): Outcome {
  const x = decodeFloat(a, format);
  const y = decodeFloat(b, format);
  if (x.kind === 'nan' || y.kind === 'nan') return nan(format, isSignaling(x) || isSignaling(y));
  if (operation === 'fadd') return sum(x, y, mode, format);
  if (operation === 'fsub') return sum(x, negate(y), mode, format);
  if (operation === 'fmul') {
    const product = multiplyValues(x, y);
    return product === undefined ? nan(format, true) : roundValue(product, mode, format);
  }
  return quotient(x, y, mode, format);
}

export function referenceFused(
  operation: FusedOperation,
  [a, b, c]: readonly [bigint, bigint, bigint],
  mode: RoundingMode,
  format: BinaryFormat,
): Outcome {
  const x = decodeFloat(a, format);
  const y = decodeFloat(b, format);
  const z = decodeFloat(c, format);
  const product = x.kind === 'nan' || y.kind === 'nan' ? x : multiplyValues(x, y);
  // Infinity times zero is invalid, whatever is added.
  if (product === undefined) return nan(format, true);
  const values = [x, y, z];
  if (values.some((value) => value.kind === 'nan')) return nan(format, values.some(isSignaling));
  const isProductNegated = operation === 'fnmsub' || operation === 'fnmadd';
  const isAddendNegated = operation === 'fmsub' || operation === 'fnmadd';
  return sum(isProductNegated ? negate(product) : product, isAddendNegated ? negate(z) : z, mode, format);
}

export function referenceSquareRoot(a: bigint, mode: RoundingMode, format: BinaryFormat): Outcome {
  const x = decodeFloat(a, format);
  if (x.kind === 'nan') return nan(format, x.isSignaling);
  if (x.kind === 'finite' && x.ratio.numerator === 0n) return { bits: a, flags: 0 };
  if (x.sign === 1n) return nan(format, true);
  if (x.kind === 'infinity') return { bits: a, flags: 0 };
  // Far more places than any format has; a half unit in the last one stands for an irrational rest.
  const places = bitLength(x.ratio.denominator) + 128n;
  const radicand = (x.ratio.numerator << (2n * places)) / x.ratio.denominator;
  const root = floorSquareRoot(radicand);
  const numerator = root * root === radicand ? 2n * root : 2n * root + 1n;
  return roundToFormat({ numerator, denominator: 2n << places }, mode, format);
}

export function referenceCompare(operation: Comparison, a: bigint, b: bigint, format: BinaryFormat): Outcome {
  const x = decodeFloat(a, format);
  const y = decodeFloat(b, format);
  if (x.kind === 'nan' || y.kind === 'nan') {
    const isInvalid = operation !== 'feq' || isSignaling(x) || isSignaling(y);
    return { bits: 0n, flags: isInvalid ? flag.invalid : 0 };
  }
  const order = compareValues(x, y);
  const isTrue = { feq: order === 0, flt: order < 0, fle: order <= 0 }[operation];
  return { bits: isTrue ? 1n : 0n, flags: 0 };
}

export function referenceExtreme(
  operation: 'fmin' | 'fmax',
  a: bigint,
  b: bigint,
  format: BinaryFormat,
): Outcome {
  const x = decodeFloat(a, format);
  const y = decodeFloat(b, format);
  const flags = isSignaling(x) || isSignaling(y) ? flag.invalid : 0;
  if (x.kind === 'nan') return { bits: y.kind === 'nan' ? canonicalNanBits(format) : b, flags };
  if (y.kind === 'nan') return { bits: a, flags };
  // Zeros of different sign are equal, but ordered here.
  const order = compareValues(x, y) || Number(y.sign - x.sign);
  return { bits: order < 0 === (operation === 'fmin') ? a : b, flags };
}

export function referenceToInteger(
  a: bigint,
  type: IntegerType,
  mode: RoundingMode,
  format: BinaryFormat,
): Outcome {
  const width = type.startsWith('w') ? 32n : 64n;
  const isUnsigned = type.endsWith('u');
  const highest = (1n << (isUnsigned ? width : width - 1n)) - 1n;
  const lowest = isUnsigned ? 0n : -(1n << (width - 1n));
  const inRegister = (value: bigint) => BigInt.asUintN(64, BigInt.asIntN(Number(width), value));
  const x = decodeFloat(a, format);
  if (x.kind === 'nan') return { bits: inRegister(highest), flags: flag.invalid };
  if (x.kind === 'infinity')
    return { bits: inRegister(x.sign === 1n ? lowest : highest), flags: flag.invalid };
  const { count, isExact } = roundToQuantum(absolute(x.ratio), 0n, x.sign, mode);
  const value = x.sign === 1n ? -count : count;
  if (value > highest) return { bits: inRegister(highest), flags: flag.invalid };
  if (value < lowest) return { bits: inRegister(lowest), flags: flag.invalid };
  return { bits: inRegister(value), flags: isExact ? 0 : flag.inexact };
}

/** Of the register, a 32-bit type takes the lower half. */
export function referenceFromInteger(
  register: bigint,
  type: IntegerType,
  mode: RoundingMode,
  format: BinaryFormat,
): Outcome {
  const width = type.startsWith('w') ? 32 : 64;
  const value = type.endsWith('u') ? BigInt.asUintN(width, register) : BigInt.asIntN(width, register);
  if (value === 0n) return { bits: 0n, flags: 0 };
  return roundToFormat({ numerator: value, denominator: 1n }, mode, format);
}

/** A float of one format in the other one. */
export function referenceConvert(a: bigint, to: BinaryFormat, mode: RoundingMode): Outcome {
  const x = decodeFloat(a, to === binary32 ? binary64 : binary32);
  if (x.kind === 'nan') return nan(to, x.isSignaling);
  return roundValue(x, mode, to);
}

export function referenceClass(a: bigint, format: BinaryFormat): Outcome {
  const x = decodeFloat(a, format);
  const bit = (index: bigint): Outcome => ({ bits: 1n << index, flags: 0 });
  if (x.kind === 'nan') return bit(x.isSignaling ? 8n : 9n);
  if (x.kind === 'infinity') return bit(x.sign === 1n ? 0n : 7n);
  const { numerator, denominator } = absolute(x.ratio);
  if (numerator === 0n) return bit(x.sign === 1n ? 3n : 4n);
  if (numerator << -format.exponentMin < denominator) return bit(x.sign === 1n ? 2n : 5n);
  return bit(x.sign === 1n ? 1n : 6n);
}

function nan(format: BinaryFormat, isInvalid: boolean): Outcome {
  return { bits: canonicalNanBits(format), flags: isInvalid ? flag.invalid : 0 };
}

function isSignaling(value: FloatValue): boolean {
  return value.kind === 'nan' && value.isSignaling;
}

function negate(value: FloatValue): FloatValue {
  if (value.kind === 'nan') return value;
  const sign: Sign = value.sign === 1n ? 0n : 1n;
  if (value.kind === 'infinity') return { kind: 'infinity', sign };
  const { numerator, denominator } = value.ratio;
  return { kind: 'finite', sign, ratio: { numerator: -numerator, denominator } };
}

function absolute({ numerator, denominator }: Ratio): Ratio {
  return { numerator: numerator < 0n ? -numerator : numerator, denominator };
}

function isZero(value: FloatValue): boolean {
  return value.kind === 'finite' && value.ratio.numerator === 0n;
}

function roundValue(value: FloatValue, mode: RoundingMode, format: BinaryFormat): Outcome {
  if (value.kind === 'nan') return nan(format, value.isSignaling);
  if (value.kind === 'infinity') return { bits: infinityBits(value.sign, format), flags: 0 };
  if (value.ratio.numerator === 0n) return { bits: signBits(value.sign, format), flags: 0 };
  return roundToFormat(value.ratio, mode, format);
}

function sum(x: FloatValue, y: FloatValue, mode: RoundingMode, format: BinaryFormat): Outcome {
  if (x.kind === 'nan' || y.kind === 'nan') return nan(format, isSignaling(x) || isSignaling(y));
  if (x.kind === 'infinity' || y.kind === 'infinity') {
    if (x.kind === y.kind && x.sign !== y.sign) return nan(format, true);
    return roundValue(x.kind === 'infinity' ? x : y, mode, format);
  }
  const numerator = x.ratio.numerator * y.ratio.denominator + y.ratio.numerator * x.ratio.denominator;
  if (numerator === 0n) {
    const sign: Sign = x.sign === y.sign ? x.sign : mode === 'RDN' ? 1n : 0n;
    return { bits: signBits(sign, format), flags: 0 };
  }
  return roundToFormat({ numerator, denominator: x.ratio.denominator * y.ratio.denominator }, mode, format);
}

/** The exact product of two numbers; undefined for infinity times zero. */
function multiplyValues(x: FloatValue, y: FloatValue): FloatValue | undefined {
  if (x.kind === 'nan') return x;
  if (y.kind === 'nan') return y;
  const sign: Sign = x.sign === y.sign ? 0n : 1n;
  if (x.kind === 'infinity' || y.kind === 'infinity') {
    return isZero(x) || isZero(y) ? undefined : { kind: 'infinity', sign };
  }
  const numerator = x.ratio.numerator * y.ratio.numerator;
  return {
    kind: 'finite',
    sign,
    ratio: { numerator, denominator: x.ratio.denominator * y.ratio.denominator },
  };
}

function quotient(x: FloatValue, y: FloatValue, mode: RoundingMode, format: BinaryFormat): Outcome {
  if (x.kind === 'nan' || y.kind === 'nan') return nan(format, isSignaling(x) || isSignaling(y));
  const sign: Sign = x.sign === y.sign ? 0n : 1n;
  if (x.kind === 'infinity') {
    return y.kind === 'infinity' ? nan(format, true) : { bits: infinityBits(sign, format), flags: 0 };
  }
  if (y.kind === 'infinity') return { bits: signBits(sign, format), flags: 0 };
  if (isZero(y)) {
    if (isZero(x)) return nan(format, true);
    return { bits: infinityBits(sign, format), flags: flag.divideByZero };
  }
  if (isZero(x)) return { bits: signBits(sign, format), flags: 0 };
  const numerator = absolute(x.ratio).numerator * y.ratio.denominator;
  const denominator = absolute(y.ratio).numerator * x.ratio.denominator;
  return roundToFormat({ numerator: sign === 1n ? -numerator : numerator, denominator }, mode, format);
}

/** Negative, zero or positive, like a - b. */
function compareValues(
  a: Exclude<FloatValue, { kind: 'nan' }>,
  b: Exclude<FloatValue, { kind: 'nan' }>,
): number {
  const infinite = (value: typeof a) => (value.kind === 'infinity' ? (value.sign === 1n ? -1 : 1) : 0);
  if (a.kind === 'infinity' || b.kind === 'infinity') return infinite(a) - infinite(b);
  const left = a.ratio.numerator * b.ratio.denominator;
  const right = b.ratio.numerator * a.ratio.denominator;
  return left < right ? -1 : left > right ? 1 : 0;
}

function floorSquareRoot(value: bigint): bigint {
  let root = 1n << ((bitLength(value) + 1n) / 2n);
  for (;;) {
    const next = (root + value / root) >> 1n;
    if (next >= root) return root;
    root = next;
  }
}
