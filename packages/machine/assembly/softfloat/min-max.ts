/**
 * Minimum and maximum: a number wins over a NaN, -0 is below +0, a signaling NaN raises NV.
 * Source: RISC-V Unprivileged ISA 20240411, "F" extension version 2.2, FMIN and FMAX (minimumNumber and
 * maximumNumber of IEEE 754-2019).
 */
import { isBelow } from './compare';
import { INVALID, raise } from './flags';
import { canonicalNan, isNan, isSignalingNan } from './format';

export function minimum<T>(a: T, b: T): T {
  if (isNan<T>(a) || isNan<T>(b)) return chooseNumber<T>(a, b);
  return isBelow<T>(b, a) ? b : a;
}

export function maximum<T>(a: T, b: T): T {
  if (isNan<T>(a) || isNan<T>(b)) return chooseNumber<T>(a, b);
  return isBelow<T>(a, b) ? b : a;
}

function chooseNumber<T>(a: T, b: T): T {
  if (isSignalingNan<T>(a) || isSignalingNan<T>(b)) raise(INVALID);
  if (!isNan<T>(a)) return a;
  return isNan<T>(b) ? canonicalNan<T>() : b;
}
