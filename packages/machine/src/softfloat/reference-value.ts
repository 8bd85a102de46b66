/**
 * Test reference: IEEE 754 values as exact ratios of integers, and their rounding to a format straight from
 * the standard's definitions. Slow on purpose, and shares no idea with the core's significand arithmetic.
 * Source: IEEE 754-2019, "Floating-point formats", "Rounding-direction attributes", "Overflow", "Underflow"
 * (tininess after rounding, as RISC-V chooses).
 */
export interface BinaryFormat {
  readonly name: 'S' | 'D';
  readonly width: bigint;
  readonly fractionBits: bigint;
  /** Exponent of the smallest normal number. */
  readonly exponentMin: bigint;
  readonly exponentMax: bigint;
}

export const binary32: BinaryFormat = {
  name: 'S',
  width: 32n,
  fractionBits: 23n,
  exponentMin: -126n,
  exponentMax: 127n,
};

export const binary64: BinaryFormat = {
  name: 'D',
  width: 64n,
  fractionBits: 52n,
  exponentMin: -1022n,
  exponentMax: 1023n,
};

export const flag = { inexact: 1, underflow: 2, overflow: 4, divideByZero: 8, invalid: 16 } as const;

export const roundingModes = ['RNE', 'RTZ', 'RDN', 'RUP', 'RMM'] as const;
export type RoundingMode = (typeof roundingModes)[number];

export type Sign = 0n | 1n;

/** A signed ratio; the denominator is positive. */
export interface Ratio {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

/** The sign of a finite value is its own field: a zero has one that its ratio doesn't show. */
export type FloatValue =
  | { readonly kind: 'nan'; readonly isSignaling: boolean }
  | { readonly kind: 'infinity'; readonly sign: Sign }
  | { readonly kind: 'finite'; readonly sign: Sign; readonly ratio: Ratio };

export interface Outcome {
  /** Bits of a float in its format, or of a 64-bit integer register. */
  readonly bits: bigint;
  readonly flags: number;
}

export function decodeFloat(bits: bigint, format: BinaryFormat): FloatValue {
  const sign: Sign = bits >> (format.width - 1n) === 0n ? 0n : 1n;
  const fraction = BigInt.asUintN(Number(format.fractionBits), bits);
  const field = (bits >> format.fractionBits) & (2n * format.exponentMax + 1n);
  if (field === 2n * format.exponentMax + 1n) {
    if (fraction === 0n) return { kind: 'infinity', sign };
    return { kind: 'nan', isSignaling: fraction < 1n << (format.fractionBits - 1n) };
  }
  const isNormal = field !== 0n;
  const integer = isNormal ? fraction + (1n << format.fractionBits) : fraction;
  const exponent = (isNormal ? field - format.exponentMax : format.exponentMin) - format.fractionBits;
  const magnitude = scaled(integer, exponent);
  const numerator = sign === 1n ? -magnitude.numerator : magnitude.numerator;
  return { kind: 'finite', sign, ratio: { numerator, denominator: magnitude.denominator } };
}

/** integer * 2^exponent. */
export function scaled(integer: bigint, exponent: bigint): Ratio {
  return exponent < 0n
    ? { numerator: integer, denominator: 1n << -exponent }
    : { numerator: integer << exponent, denominator: 1n };
}

export function signBits(sign: Sign, format: BinaryFormat): bigint {
  return sign << (format.width - 1n);
}

export function infinityBits(sign: Sign, format: BinaryFormat): bigint {
  return signBits(sign, format) | ((2n * format.exponentMax + 1n) << format.fractionBits);
}

export function canonicalNanBits(format: BinaryFormat): bigint {
  return infinityBits(0n, format) | (1n << (format.fractionBits - 1n));
}

/** A ratio other than zero, rounded to the format, with the flags that raises. */
export function roundToFormat(ratio: Ratio, mode: RoundingMode, format: BinaryFormat): Outcome {
  const sign: Sign = ratio.numerator < 0n ? 1n : 0n;
  const magnitude = {
    numerator: ratio.numerator < 0n ? -ratio.numerator : ratio.numerator,
    denominator: ratio.denominator,
  };
  const exponent = floorLog2(magnitude);
  const precise = roundToQuantum(magnitude, exponent - format.fractionBits, sign, mode);
  // With an unbounded exponent range: did rounding carry into the next power of two?
  const carried = precise.count >> (format.fractionBits + 1n) === 1n ? exponent + 1n : exponent;
  if (carried > format.exponentMax) {
    const largest = infinityBits(sign, format) - 1n;
    const bits = isTowardsZero(sign, mode) ? largest : infinityBits(sign, format);
    return { bits, flags: flag.overflow | flag.inexact };
  }
  const quantumMin = format.exponentMin - format.fractionBits;
  const quantum = exponent < format.exponentMin ? quantumMin : exponent - format.fractionBits;
  const { count, isExact } = roundToQuantum(magnitude, quantum, sign, mode);
  const isTiny = carried < format.exponentMin;
  const flags = isExact ? 0 : isTiny ? flag.inexact | flag.underflow : flag.inexact;
  // Encodings of one sign are in the order of the values: each binade adds 2^fractionBits steps.
  const bits = signBits(sign, format) + count + ((quantum - quantumMin) << format.fractionBits);
  return { bits, flags };
}

/** magnitude / 2^quantum as an integer, rounded. */
export function roundToQuantum(
  magnitude: Ratio,
  quantum: bigint,
  sign: Sign,
  mode: RoundingMode,
): { count: bigint; isExact: boolean } {
  const numerator = quantum < 0n ? magnitude.numerator << -quantum : magnitude.numerator;
  const denominator = quantum > 0n ? magnitude.denominator << quantum : magnitude.denominator;
  const floor = numerator / denominator;
  const rest = numerator - floor * denominator;
  if (rest === 0n) return { count: floor, isExact: true };
  const twice = 2n * rest;
  const isUp = {
    RNE: twice > denominator || (twice === denominator && floor % 2n === 1n),
    RTZ: false,
    RDN: sign === 1n,
    RUP: sign === 0n,
    RMM: twice >= denominator,
  }[mode];
  return { count: isUp ? floor + 1n : floor, isExact: false };
}

function isTowardsZero(sign: Sign, mode: RoundingMode): boolean {
  return mode === 'RTZ' || mode === (sign === 0n ? 'RDN' : 'RUP');
}

function floorLog2({ numerator, denominator }: Ratio): bigint {
  const guess = bitLength(numerator) - bitLength(denominator);
  const isReached = guess < 0n ? numerator << -guess >= denominator : numerator >= denominator << guess;
  return isReached ? guess : guess - 1n;
}

export function bitLength(positive: bigint): bigint {
  const digits = positive.toString(16);
  return BigInt(4 * digits.length - Math.clz32(Number.parseInt(digits.charAt(0), 16)) + 28);
}
