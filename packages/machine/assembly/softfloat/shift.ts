/**
 * Right shifts that jam: any one shifted out leaves the lowest bit set, which is all that rounding needs to
 * know about what was lost. Source: the "sticky bit" of Goldberg, "What Every Computer Scientist Should Know
 * About Floating-Point Arithmetic", section "Guard Digits".
 */

export function shiftRightJam(value: u64, count: u32): u64 {
  if (count === 0) return value;
  if (count > 63) return (value !== 0) as u64;
  return (value >> (count as u64)) | ((value << ((64 - count) as u64) !== 0) as u64);
}

/** The upper half of (high, low) shifted right. */
export function wideShiftRightHigh(high: u64, count: u32): u64 {
  return count > 63 ? 0 : high >> (count as u64);
}

/** The lower half of (high, low) shifted right, jammed. */
export function wideShiftRightJamLow(high: u64, low: u64, count: u32): u64 {
  if (count === 0) return low;
  if (count < 64) return (high << ((64 - count) as u64)) | shiftRightJam(low, count);
  return shiftRightJam(high, count - 64) | ((low !== 0) as u64);
}
