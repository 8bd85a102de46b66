/**
 * The two interchange formats, chosen by the type of their bits: u32 is binary32, u64 is binary64. Every
 * operation is written once, generic in that type; sizeof<T>() is a constant for the compiler.
 * Source: IEEE 754-2019, "Binary interchange format encodings"; canonical NaNs from RISC-V Unprivileged ISA
 * 20240411, "F" extension, "NaN Generation and Propagation".
 */
import { INVALID, raise } from './flags';

/** Bits of the fraction field, the hidden bit not counted. */
export function fractionBits<T>(): i32 {
  return sizeof<T>() === 8 ? 52 : 23;
}

export function exponentBias<T>(): i32 {
  return sizeof<T>() === 8 ? 1023 : 127;
}

/** The exponent field of infinities and NaNs: all ones. */
export function specialExponentField<T>(): i32 {
  return sizeof<T>() === 8 ? 0x7ff : 0xff;
}

export function signShift<T>(): u32 {
  return ((sizeof<T>() as u32) << 3) - 1;
}

/** 1 for negative, 0 for positive. */
export function signOf<T>(bits: T): u32 {
  return ((bits as u64) >> (signShift<T>() as u64)) as u32;
}

/** All bits but the sign: ordered like the absolute values they stand for. */
export function magnitudeOf<T>(bits: T): u64 {
  return (bits as u64) & ((1 << (signShift<T>() as u64)) - 1);
}

export function negated<T>(bits: T): T {
  return ((bits as u64) ^ (1 << (signShift<T>() as u64))) as T;
}

export function exponentField<T>(bits: T): i32 {
  return (((bits as u64) >> (fractionBits<T>() as u64)) as i32) & specialExponentField<T>();
}

export function fractionField<T>(bits: T): u64 {
  return (bits as u64) & ((1 << (fractionBits<T>() as u64)) - 1);
}

export function zeroOf<T>(sign: u32): T {
  return ((sign as u64) << (signShift<T>() as u64)) as T;
}

function infinityMagnitude<T>(): u64 {
  return (specialExponentField<T>() as u64) << (fractionBits<T>() as u64);
}

export function infinityOf<T>(sign: u32): T {
  return ((zeroOf<T>(sign) as u64) | infinityMagnitude<T>()) as T;
}

/** The finite number with the largest magnitude. */
export function largestOf<T>(sign: u32): T {
  return ((zeroOf<T>(sign) as u64) | (infinityMagnitude<T>() - 1)) as T;
}

/** The one NaN that arithmetic gives: positive, quiet, no payload. */
export function canonicalNan<T>(): T {
  return (infinityMagnitude<T>() | (1 << ((fractionBits<T>() - 1) as u64))) as T;
}

/** Infinity or NaN. */
export function isSpecial<T>(bits: T): bool {
  return exponentField<T>(bits) === specialExponentField<T>();
}

export function isInfinity<T>(bits: T): bool {
  return magnitudeOf<T>(bits) === infinityMagnitude<T>();
}

export function isZero<T>(bits: T): bool {
  return magnitudeOf<T>(bits) === 0;
}

export function isNan<T>(bits: T): bool {
  return magnitudeOf<T>(bits) > infinityMagnitude<T>();
}

export function isSignalingNan<T>(bits: T): bool {
  return isNan<T>(bits) && ((bits as u64) & (1 << ((fractionBits<T>() - 1) as u64))) === 0;
}

/** The result of an invalid operation: raises NV, gives the canonical NaN. */
export function invalidResult<T>(): T {
  raise(INVALID);
  return canonicalNan<T>();
}

/** The result of an operation on two operands of which at least one is a NaN. */
export function nanResult<T>(a: T, b: T): T {
  if (isSignalingNan<T>(a) || isSignalingNan<T>(b)) raise(INVALID);
  return canonicalNan<T>();
}
