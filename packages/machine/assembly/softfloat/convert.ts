/**
 * Conversions between the two formats, and between them and 32- and 64-bit integers as a register holds them
 * (32-bit results sign-extended, also unsigned ones).
 * Source: RISC-V Unprivileged ISA 20240411, "F" extension, "Single-Precision Floating-Point Conversion and
 * Move Instructions" and its table of ranges, which saturates where IEEE 754 leaves the result open.
 */
import { INEXACT, INVALID, raise } from './flags';
import {
  canonicalNan,
  infinityOf,
  isInfinity,
  isNan,
  isSignalingNan,
  isSpecial,
  isZero,
  signOf,
  zeroOf,
} from './format';
import { isAwayFromZero, roundAndPack } from './round';
import { RMM, RNE } from './rounding-mode';
import { shiftRightJam } from './shift';
import { exponentOf, LEADING_BIT, significandOf } from './unpack';

/** A float of format From as one of format To. */
export function convertFormat<From, To>(a: From, rm: u32): To {
  const sign = signOf<From>(a);
  if (isNan<From>(a)) {
    if (isSignalingNan<From>(a)) raise(INVALID);
    return canonicalNan<To>();
  }
  if (isInfinity<From>(a)) return infinityOf<To>(sign);
  if (isZero<From>(a)) return zeroOf<To>(sign);
  return roundAndPack<To>(sign, exponentOf<From>(a), significandOf<From>(a), rm);
}

export function fromSigned<T>(value: i64, rm: u32): T {
  // The magnitude of the smallest integer is right too, as an unsigned one.
  return value < 0 ? fromMagnitude<T>(1, -value as u64, rm) : fromMagnitude<T>(0, value as u64, rm);
}

export function fromUnsigned<T>(value: u64, rm: u32): T {
  return fromMagnitude<T>(0, value, rm);
}

function fromMagnitude<T>(sign: u32, magnitude: u64, rm: u32): T {
  if (magnitude === 0) return zeroOf<T>(0);
  if (magnitude >> 63 !== 0) return roundAndPack<T>(sign, 63, shiftRightJam(magnitude, 1), rm);
  const shift = (clz<u64>(magnitude) as i32) - (63 - LEADING_BIT);
  return roundAndPack<T>(sign, LEADING_BIT - shift, magnitude << (shift as u64), rm);
}

export function toSigned32<T>(a: T, rm: u32): u64 {
  return toInteger<T>(a, rm, 0x80000000, 0x7fffffff);
}

export function toUnsigned32<T>(a: T, rm: u32): u64 {
  return toInteger<T>(a, rm, 0, 0xffffffff) as i32 as i64 as u64;
}

export function toSigned64<T>(a: T, rm: u32): u64 {
  return toInteger<T>(a, rm, 1 << 63, (1 << 63) - 1);
}

export function toUnsigned64<T>(a: T, rm: u32): u64 {
  return toInteger<T>(a, rm, 0, ~(0 as u64));
}

/**
 * The integer nearest to a in the direction of rm, in two's complement, saturated: lowest is the magnitude of
 * the smallest result, highest the largest. NaN gives the largest.
 */
function toInteger<T>(a: T, rm: u32, lowest: u64, highest: u64): u64 {
  if (isNan<T>(a)) return saturated(highest);
  const sign = signOf<T>(a);
  const limit = sign !== 0 ? lowest : highest;
  if (isZero<T>(a)) return 0;
  const exponent = exponentOf<T>(a);
  if (isSpecial<T>(a) || exponent > 63) return saturated(sign !== 0 ? -lowest : highest);
  const significand = significandOf<T>(a);
  const whole = wholePart(exponent, significand);
  const fraction = fractionJam(exponent, significand);
  const magnitude = whole + (isRoundedAway(sign, whole, fraction, rm) as u64);
  if (magnitude > limit) return saturated(sign !== 0 ? -lowest : highest);
  if (fraction !== 0) raise(INEXACT);
  return sign !== 0 ? -magnitude : magnitude;
}

function saturated(value: u64): u64 {
  raise(INVALID);
  return value;
}

/** Expects an exponent of at most 63. */
function wholePart(exponent: i32, significand: u64): u64 {
  if (exponent < 0) return 0;
  if (exponent > LEADING_BIT) return significand << 1;
  return significand >> ((LEADING_BIT - exponent) as u64);
}

/** What the whole part leaves, in units of 2^-64, jammed. */
function fractionJam(exponent: i32, significand: u64): u64 {
  if (exponent < 0) return shiftRightJam(significand << 1, (-1 - exponent) as u32);
  return exponent < LEADING_BIT ? significand << ((exponent + 2) as u64) : 0;
}

function isRoundedAway(sign: u32, whole: u64, fraction: u64, rm: u32): bool {
  const half: u64 = 1 << 63;
  if (rm === RNE) return fraction > half || (fraction === half && (whole & 1) !== 0);
  if (rm === RMM) return fraction >= half;
  return fraction !== 0 && isAwayFromZero(sign, rm);
}
