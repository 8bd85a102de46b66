/**
 * a * b + c with one rounding. Source: IEEE 754-2019, "formatOf general-computational operations"
 * (fusedMultiplyAdd); RISC-V Unprivileged ISA 20240411, "F" extension, "Single-Precision Floating-Point
 * Computational Instructions" (infinity times zero is invalid even if c is a quiet NaN).
 */
import { addFinite, addZero } from './add';
import { INVALID, raise } from './flags';
import {
  infinityOf,
  invalidResult,
  isInfinity,
  isNan,
  isSignalingNan,
  isSpecial,
  isZero,
  nanResult,
  signOf,
  zeroOf,
} from './format';
import { significandProductJam } from './multiply';
import { cancelledZero, roundAndPack } from './round';
import { shiftRightJam, wideShiftRightHigh, wideShiftRightJamLow } from './shift';
import { exponentOf, LEADING_BIT, significandOf } from './unpack';
import { multiplyHigh } from './wide';

export function fusedMultiplyAdd<T>(a: T, b: T, c: T, rm: u32): T {
  const sign = signOf<T>(a) ^ signOf<T>(b);
  if (isSpecial<T>(a) || isSpecial<T>(b) || isSpecial<T>(c)) return fuseSpecial<T>(a, b, c, sign);
  if (isZero<T>(a) || isZero<T>(b)) return addZero<T>(zeroOf<T>(sign), c, rm);
  return sizeof<T>() === 4 ? fuseNarrow<T>(a, b, c, sign, rm) : fuseWide<T>(a, b, c, sign, rm);
}

function fuseSpecial<T>(a: T, b: T, c: T, sign: u32): T {
  const isProductInvalid = (isInfinity<T>(a) && isZero<T>(b)) || (isZero<T>(a) && isInfinity<T>(b));
  if (isProductInvalid) return invalidResult<T>();
  if (isNan<T>(a) || isNan<T>(b)) {
    if (isSignalingNan<T>(c)) raise(INVALID);
    return nanResult<T>(a, b);
  }
  if (isNan<T>(c)) return nanResult<T>(c, c);
  if (!isInfinity<T>(a) && !isInfinity<T>(b)) return c;
  if (isInfinity<T>(c) && signOf<T>(c) !== sign) return invalidResult<T>();
  return infinityOf<T>(sign);
}

/** binary32: the exact product has 48 bits and fits a significand. */
function fuseNarrow<T>(a: T, b: T, c: T, sign: u32, rm: u32): T {
  let product = significandProductJam<T>(significandOf<T>(a), significandOf<T>(b));
  let exponent = exponentOf<T>(a) + exponentOf<T>(b) + 1;
  if (product >> 62 === 0) {
    product <<= 1;
    exponent -= 1;
  }
  if (isZero<T>(c)) return roundAndPack<T>(sign, exponent, product, rm);
  return addFinite<T>(sign, exponent, product, signOf<T>(c), exponentOf<T>(c), significandOf<T>(c), rm);
}

/** binary64: the exact product has 106 bits; the sum is formed in 128, the leading one at bit 126. */
function fuseWide<T>(a: T, b: T, c: T, sign: u32, rm: u32): T {
  const aSignificand = significandOf<T>(a) << 1;
  const bSignificand = significandOf<T>(b);
  let high = multiplyHigh(aSignificand, bSignificand);
  let low = aSignificand * bSignificand;
  let exponent = exponentOf<T>(a) + exponentOf<T>(b) + 1;
  if (high >> 62 === 0) {
    high = (high << 1) | (low >> 63);
    low <<= 1;
    exponent -= 1;
  }
  if (isZero<T>(c)) return roundAndPack<T>(sign, exponent, high | ((low !== 0) as u64), rm);
  let addendHigh = significandOf<T>(c);
  let addendLow: u64 = 0;
  // The smaller exponent's number is shifted right. Bits are lost only from 20 places on, where no more
  // than one place can cancel.
  const distance = exponent - exponentOf<T>(c);
  if (distance > 0) {
    addendLow = wideShiftRightJamLow(addendHigh, 0, distance as u32);
    addendHigh = wideShiftRightHigh(addendHigh, distance as u32);
  } else if (distance < 0) {
    low = wideShiftRightJamLow(high, low, -distance as u32);
    high = wideShiftRightHigh(high, -distance as u32);
    exponent -= distance;
  }
  if (signOf<T>(c) === sign) return sumWide<T>(sign, exponent, high, low, addendHigh, addendLow, rm);
  if (high === addendHigh && low === addendLow) return cancelledZero<T>(rm);
  return high > addendHigh || (high === addendHigh && low > addendLow)
    ? differenceWide<T>(sign, exponent, high, low, addendHigh, addendLow, rm)
    : differenceWide<T>(sign ^ 1, exponent, addendHigh, addendLow, high, low, rm);
}

function sumWide<T>(sign: u32, exponent: i32, aHigh: u64, aLow: u64, bHigh: u64, bLow: u64, rm: u32): T {
  const low = aLow + bLow;
  const high = aHigh + bHigh + ((low < aLow) as u64);
  const carry = (high >> 63) as u32;
  const significand = shiftRightJam(high, carry) | ((low !== 0) as u64);
  return roundAndPack<T>(sign, exponent + (carry as i32), significand, rm);
}

/** Expects a > b. */
function differenceWide<T>(
  sign: u32,
  exponent: i32,
  aHigh: u64,
  aLow: u64,
  bHigh: u64,
  bLow: u64,
  rm: u32,
): T {
  let low = aLow - bLow;
  let high = aHigh - bHigh - ((aLow < bLow) as u64);
  if (high === 0) {
    high = low;
    low = 0;
    exponent -= 64;
  }
  const shift = (clz<u64>(high) as i32) - (63 - LEADING_BIT);
  if (shift < 0) return roundAndPack<T>(sign, exponent + 1, shiftRightJam(high, 1), rm);
  if (shift > 0) {
    high = (high << (shift as u64)) | (low >> ((64 - shift) as u64));
    low <<= shift as u64;
  }
  return roundAndPack<T>(sign, exponent - shift, high | ((low !== 0) as u64), rm);
}
