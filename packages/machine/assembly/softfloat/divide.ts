/**
 * Division. Source: IEEE 754-2019, "formatOf general-computational operations" (division), "Division by zero".
 */
import { DIVIDE_BY_ZERO, raise } from './flags';
import {
  infinityOf,
  invalidResult,
  isInfinity,
  isNan,
  isSpecial,
  isZero,
  nanResult,
  signOf,
  zeroOf,
} from './format';
import { roundAndPack } from './round';
import { exponentOf, significandOf } from './unpack';
import { divideWideJam } from './wide';

export function divide<T>(a: T, b: T, rm: u32): T {
  const sign = signOf<T>(a) ^ signOf<T>(b);
  if (isSpecial<T>(a) || isSpecial<T>(b)) {
    if (isNan<T>(a) || isNan<T>(b)) return nanResult<T>(a, b);
    if (!isInfinity<T>(a)) return zeroOf<T>(sign);
    return isInfinity<T>(b) ? invalidResult<T>() : infinityOf<T>(sign);
  }
  if (isZero<T>(b)) {
    if (isZero<T>(a)) return invalidResult<T>();
    raise(DIVIDE_BY_ZERO);
    return infinityOf<T>(sign);
  }
  if (isZero<T>(a)) return zeroOf<T>(sign);
  const dividend = significandOf<T>(a);
  const divisor = significandOf<T>(b);
  const isBelowOne = dividend < divisor;
  const exponent = exponentOf<T>(a) - exponentOf<T>(b) - (isBelowOne as i32);
  return roundAndPack<T>(sign, exponent, quotientJam<T>(isBelowOne ? dividend << 1 : dividend, divisor), rm);
}

/** dividend / divisor * 2^62, jammed. Expects a quotient in [1, 2). */
function quotientJam<T>(dividend: u64, divisor: u64): u64 {
  if (sizeof<T>() === 4) {
    // 25 bits by 24: one native division gives 40 bits, of which rounding needs 24 and the rest as sticky.
    const numerator = (dividend >> 39) << 39;
    const denominator = divisor >> 39;
    const quotient = numerator / denominator;
    return (quotient << 23) | ((quotient * denominator !== numerator) as u64);
  }
  const quotient = divideWideJam(dividend, divisor << 1);
  return (quotient >> 1) | (quotient & 1);
}
