/**
 * FCLASS: one bit for the class of a number; raises nothing.
 * Source: RISC-V Unprivileged ISA 20240411, "F" extension, "Single-Precision Floating-Point Classify Instruction".
 */
import { exponentField, isInfinity, isNan, isSignalingNan, isZero, signOf } from './format';

const NEGATIVE_INFINITY: u32 = 0;
const NEGATIVE_NORMAL: u32 = 1;
const NEGATIVE_SUBNORMAL: u32 = 2;
const NEGATIVE_ZERO: u32 = 3;
const SIGNALING_NAN: u32 = 8;
const QUIET_NAN: u32 = 9;
/** The positive classes mirror the negative ones: +0 is bit 4, plus infinity bit 7. */
const MIRROR: u32 = 7;

export function classify<T>(a: T): u32 {
  if (isNan<T>(a)) return 1 << (isSignalingNan<T>(a) ? SIGNALING_NAN : QUIET_NAN);
  let bit = NEGATIVE_NORMAL;
  if (isInfinity<T>(a)) bit = NEGATIVE_INFINITY;
  else if (isZero<T>(a)) bit = NEGATIVE_ZERO;
  else if (exponentField<T>(a) === 0) bit = NEGATIVE_SUBNORMAL;
  return 1 << (signOf<T>(a) !== 0 ? bit : MIRROR - bit);
}
