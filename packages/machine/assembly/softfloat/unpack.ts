/**
 * The form in which finite numbers are computed with: a sign, an unbiased exponent and a 64-bit significand
 * whose leading one is bit 62, so that |value| = significand * 2^(exponent - 62). Subnormals are normalized
 * on the way in; a zero has significand 0 and a meaningless exponent. Infinities and NaNs never get here.
 */
import { exponentBias, exponentField, fractionBits, fractionField } from './format';

/** The bit of a normalized significand that holds its leading one. */
export const LEADING_BIT: i32 = 62;

export function exponentOf<T>(bits: T): i32 {
  const field = exponentField<T>(bits);
  if (field !== 0) return field - exponentBias<T>();
  const shift = (clz<u64>(fractionField<T>(bits)) as i32) - 1;
  return 1 - exponentBias<T>() + LEADING_BIT - fractionBits<T>() - shift;
}

export function significandOf<T>(bits: T): u64 {
  const fraction = fractionField<T>(bits);
  if (exponentField<T>(bits) !== 0) {
    return (fraction | (1 << (fractionBits<T>() as u64))) << ((LEADING_BIT - fractionBits<T>()) as u64);
  }
  // A zero fraction is shifted by 63 and stays zero.
  return fraction << (clz<u64>(fraction) - 1);
}
