/**
 * Comparisons: 1 for true, 0 for false or unordered. Equality is quiet (only a signaling NaN raises NV), the
 * ordered ones signal on any NaN. Source: RISC-V Unprivileged ISA 20240411, "F" extension,
 * "Single-Precision Floating-Point Compare Instructions".
 */
import { INVALID, raise } from './flags';
import { isNan, isSignalingNan, isZero, signOf } from './format';

export function isEqual<T>(a: T, b: T): u32 {
  if (isNan<T>(a) || isNan<T>(b)) {
    if (isSignalingNan<T>(a) || isSignalingNan<T>(b)) raise(INVALID);
    return 0;
  }
  return (a === b || (isZero<T>(a) && isZero<T>(b))) as u32;
}

export function isLess<T>(a: T, b: T): u32 {
  if (isNan<T>(a) || isNan<T>(b)) return unordered();
  return (isBelow<T>(a, b) && !(isZero<T>(a) && isZero<T>(b))) as u32;
}

export function isLessOrEqual<T>(a: T, b: T): u32 {
  if (isNan<T>(a) || isNan<T>(b)) return unordered();
  return (!isBelow<T>(b, a) || (isZero<T>(a) && isZero<T>(b))) as u32;
}

function unordered(): u32 {
  raise(INVALID);
  return 0;
}

/** The order of all numbers, in which -0 is below +0. Expects no NaN. */
export function isBelow<T>(a: T, b: T): bool {
  const sign = signOf<T>(a);
  if (sign !== signOf<T>(b)) return sign !== 0;
  return sign !== 0 ? b < a : a < b;
}
