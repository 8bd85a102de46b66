/**
 * From an exact (or jammed) value to a format's bits: the only place where anything is rounded to a format,
 * and where OF, UF and NX come from. Tininess is detected after rounding.
 * Source: IEEE 754-2019, "Rounding-direction attributes", "Overflow", "Underflow", "Inexact"; RISC-V
 * Unprivileged ISA 20240411, "F" extension, "Subnormal Arithmetic".
 */
import { INEXACT, OVERFLOW, raise, UNDERFLOW } from './flags';
import { exponentBias, fractionBits, infinityOf, largestOf, specialExponentField, zeroOf } from './format';
import { RDN, RMM, RNE, RUP } from './rounding-mode';
import { shiftRightJam } from './shift';
import { LEADING_BIT } from './unpack';

/**
 * significand * 2^(exponent - 62), negated if sign is 1, rounded to T.
 * Expects bit 62 to be the significand's leading one, and bit 0 jammed if the value is not exact.
 */
export function roundAndPack<T>(sign: u32, exponent: i32, significand: u64, rm: u32): T {
  const restBits: u64 = (LEADING_BIT - fractionBits<T>()) as u64;
  const restMask: u64 = (1 << restBits) - 1;
  const half: u64 = 1 << (restBits - 1);
  const increment = roundingIncrement(sign, rm, half, restMask);
  let field = exponent + exponentBias<T>();
  let rest = significand & restMask;
  // One unsigned comparison lets through what can neither underflow nor overflow.
  if (((field - 1) as u32) >= ((specialExponentField<T>() - 2) as u32)) {
    if (field < 1) {
      // Just below the normal range, rounding with an unbounded exponent may reach it: then it isn't tiny.
      const isTiny = field < 0 || significand + increment < 1 << 63;
      significand = shiftRightJam(significand, (1 - field) as u32);
      field = 1;
      rest = significand & restMask;
      if (isTiny && rest !== 0) raise(UNDERFLOW);
    } else if (field >= specialExponentField<T>() || significand + increment >= 1 << 63) {
      raise(OVERFLOW | INEXACT);
      return increment === 0 ? largestOf<T>(sign) : infinityOf<T>(sign);
    }
  }
  if (rest !== 0) raise(INEXACT);
  significand = (significand + increment) >> restBits;
  if (rest === half && rm === RNE) significand &= ~1;
  // The hidden bit, if there, and a carry out of the fraction count the exponent field up.
  return ((zeroOf<T>(sign) as u64) + (((field - 1) as u64) << (fractionBits<T>() as u64)) + significand) as T;
}

function roundingIncrement(sign: u32, rm: u32, half: u64, restMask: u64): u64 {
  if (rm === RNE || rm === RMM) return half;
  return isAwayFromZero(sign, rm) ? restMask : 0;
}

/** Whether a directed mode rounds a value of this sign to the larger magnitude. */
export function isAwayFromZero(sign: u32, rm: u32): bool {
  return rm === (sign !== 0 ? RDN : RUP);
}

/** The zero that an exact difference of equals gives. */
export function cancelledZero<T>(rm: u32): T {
  return zeroOf<T>((rm === RDN) as u32);
}
