/**
 * Addition and subtraction. Source: IEEE 754-2019, "formatOf general-computational operations" (addition,
 * subtraction) and "The sign bit".
 */
import { invalidResult, isNan, isSpecial, isZero, nanResult, negated, signOf } from './format';
import { cancelledZero, roundAndPack } from './round';
import { shiftRightJam } from './shift';
import { exponentOf, LEADING_BIT, significandOf } from './unpack';

export function subtract<T>(a: T, b: T, rm: u32): T {
  // A NaN's sign doesn't matter: the result is the canonical one.
  return add<T>(a, negated<T>(b), rm);
}

export function add<T>(a: T, b: T, rm: u32): T {
  if (isSpecial<T>(a) || isSpecial<T>(b)) return addSpecial<T>(a, b);
  if (isZero<T>(a) || isZero<T>(b)) return addZero<T>(a, b, rm);
  return addFinite<T>(
    signOf<T>(a),
    exponentOf<T>(a),
    significandOf<T>(a),
    signOf<T>(b),
    exponentOf<T>(b),
    significandOf<T>(b),
    rm,
  );
}

/** a + b where at least one of them is a zero and none is special: always exact. */
export function addZero<T>(a: T, b: T, rm: u32): T {
  if (!isZero<T>(a)) return a;
  if (!isZero<T>(b)) return b;
  return a === b ? a : cancelledZero<T>(rm);
}

/**
 * The sum of two unpacked numbers, neither of them zero, rounded to T. Significands may have more bits than
 * T has (an exact product of two binary32), as long as the lowest two are zero: a jammed bit must stay
 * below the bits that rounding looks at after a cancellation of one place.
 */
export function addFinite<T>(
  aSign: u32,
  aExponent: i32,
  aSignificand: u64,
  bSign: u32,
  bExponent: i32,
  bSignificand: u64,
  rm: u32,
): T {
  if (aExponent < bExponent) {
    const exponent = aExponent;
    aExponent = bExponent;
    bExponent = exponent;
    const significand = aSignificand;
    aSignificand = bSignificand;
    bSignificand = significand;
    const sign = aSign;
    aSign = bSign;
    bSign = sign;
  }
  bSignificand = shiftRightJam(bSignificand, (aExponent - bExponent) as u32);
  if (aSign === bSign) {
    const sum = aSignificand + bSignificand;
    // The carry is bit 63.
    const carry = (sum >> 63) as u32;
    return roundAndPack<T>(aSign, aExponent + (carry as i32), shiftRightJam(sum, carry), rm);
  }
  if (aSignificand === bSignificand) return cancelledZero<T>(rm);
  const isSwapped = aSignificand < bSignificand;
  const difference = isSwapped ? bSignificand - aSignificand : aSignificand - bSignificand;
  const shift = (clz<u64>(difference) as i32) - (63 - LEADING_BIT);
  return roundAndPack<T>(isSwapped ? bSign : aSign, aExponent - shift, difference << (shift as u64), rm);
}

function addSpecial<T>(a: T, b: T): T {
  if (isNan<T>(a) || isNan<T>(b)) return nanResult<T>(a, b);
  if (!isSpecial<T>(b)) return a;
  if (!isSpecial<T>(a)) return b;
  return a === b ? a : invalidResult<T>();
}
