/**
 * Multiplication. Source: IEEE 754-2019, "formatOf general-computational operations" (multiplication).
 */
import { infinityOf, invalidResult, isNan, isSpecial, isZero, nanResult, signOf, zeroOf } from './format';
import { roundAndPack } from './round';
import { exponentOf, significandOf } from './unpack';
import { multiplyHigh } from './wide';

export function multiply<T>(a: T, b: T, rm: u32): T {
  const sign = signOf<T>(a) ^ signOf<T>(b);
  if (isSpecial<T>(a) || isSpecial<T>(b)) {
    if (isNan<T>(a) || isNan<T>(b)) return nanResult<T>(a, b);
    if (isZero<T>(a) || isZero<T>(b)) return invalidResult<T>();
    return infinityOf<T>(sign);
  }
  if (isZero<T>(a) || isZero<T>(b)) return zeroOf<T>(sign);
  const product = significandProductJam<T>(significandOf<T>(a), significandOf<T>(b));
  const exponent = exponentOf<T>(a) + exponentOf<T>(b);
  // The product is in [1, 4): its leading one is bit 62 or 61 here.
  const isShort = ((product >> 62) ^ 1) as u32;
  return roundAndPack<T>(sign, exponent + 1 - (isShort as i32), product << (isShort as u64), rm);
}

/** a * b / 2^63, jammed; exact for binary32, whose significands have 24 bits. */
export function significandProductJam<T>(a: u64, b: u64): u64 {
  if (sizeof<T>() === 4) return ((a >> 39) * (b >> 39)) << 15;
  const low = (a << 1) * b;
  return multiplyHigh(a << 1, b) | ((low !== 0) as u64);
}
