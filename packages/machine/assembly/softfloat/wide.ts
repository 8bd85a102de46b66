/**
 * 128-bit products and quotients from 64-bit arithmetic, by schoolbook steps on 32-bit digits.
 * Source: Knuth, The Art of Computer Programming 2, "Classical Algorithms" (algorithms M and D).
 */

/** The upper 64 bits of a * b; the lower ones are a * b itself. */
export function multiplyHigh(a: u64, b: u64): u64 {
  const aLow = a & 0xffffffff;
  const aHigh = a >> 32;
  const bLow = b & 0xffffffff;
  const bHigh = b >> 32;
  const middle = aHigh * bLow + ((aLow * bLow) >> 32);
  const cross = aLow * bHigh + (middle & 0xffffffff);
  return aHigh * bHigh + (middle >> 32) + (cross >> 32);
}

/**
 * high * 2^64 / divisor, jammed: bit 0 is also set if the division leaves a remainder.
 * Expects bit 63 of the divisor set and high < divisor.
 */
export function divideWideJam(high: u64, divisor: u64): u64 {
  const upper = quotientDigit(high, divisor);
  const middle = (high << 32) - upper * divisor;
  const lower = quotientDigit(middle, divisor);
  const remainder = (middle << 32) - lower * divisor;
  return (upper << 32) | lower | ((remainder !== 0) as u64);
}

/** remainder * 2^32 / divisor, rounded down: an estimate from the upper digits is at most two too large. */
function quotientDigit(remainder: u64, divisor: u64): u64 {
  const divisorHigh = divisor >> 32;
  const divisorLow = divisor & 0xffffffff;
  let digit = remainder / divisorHigh;
  let rest = remainder - digit * divisorHigh;
  // remainder < divisor keeps the first estimate at most 2^32 + 1, and its product with divisorLow below 2^64.
  while (digit * divisorLow > rest << 32) {
    digit -= 1;
    rest += divisorHigh;
    if (rest > 0xffffffff) break;
  }
  return digit;
}
