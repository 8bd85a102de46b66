/**
 * Square root, exact by integer remainders: an estimate from WebAssembly's f64.sqrt is corrected to the floor
 * of the root of the upper half, and one division step gives the lower half.
 * Source: IEEE 754-2019, "formatOf general-computational operations" (squareRoot); Zimmermann, "Karatsuba
 * Square Root", INRIA RR-3805.
 */
import { infinityOf, invalidResult, isNan, isSpecial, isZero, nanResult, signOf } from './format';
import { roundAndPack } from './round';
import { exponentOf, significandOf } from './unpack';

export function squareRoot<T>(a: T, rm: u32): T {
  if (isZero<T>(a)) return a;
  if (isNan<T>(a)) return nanResult<T>(a, a);
  if (signOf<T>(a) !== 0) return invalidResult<T>();
  if (isSpecial<T>(a)) return infinityOf<T>(0);
  // An even exponent halves; an odd one leaves a factor 2 in the radicand, which is in [2^62, 2^64).
  const exponent = exponentOf<T>(a);
  const radicand = significandOf<T>(a) << ((exponent & 1) as u64);
  return roundAndPack<T>(0, exponent >> 1, rootJam<T>(radicand), rm);
}

/** sqrt(radicand) * 2^31, jammed. Expects a radicand of at least 2^62. */
function rootJam<T>(radicand: u64): u64 {
  const upper = floorRoot(radicand);
  const remainder = radicand - upper * upper;
  // 32 bits and a sticky bit are enough for binary32's 24.
  if (sizeof<T>() === 4) return (upper << 31) | ((remainder !== 0) as u64);
  // sqrt(radicand * 2^64) = upper * 2^32 + lower, with lower near remainder * 2^64 / (2 * upper * 2^32).
  const lower = (remainder << 31) / upper;
  // The true root is below (upper + 1) * 2^32, and not an integer where the estimate reaches that.
  if (lower > 0xffffffff) return (upper << 31) | 0x7fffffff;
  const rest = (remainder << 31) - lower * upper;
  const root = (upper << 32) | lower;
  // What is left, (rest * 2^33 - lower^2), decides between root and root - 1; rest * 2^33 has up to 65 bits.
  if (rest >> 31 !== 0) return (root >> 1) | 1;
  const square = lower * lower;
  if (rest << 33 < square) return ((root - 1) >> 1) | 1;
  return (root >> 1) | (((rest << 33 !== square) as u64) | (root & 1));
}

/** Expects at most 53 significant bits: the radicand is exact as an f64. */
function floorRoot(radicand: u64): u64 {
  // Rounding to nearest never falls below the floor, but may reach the next integer. It can't reach 2^32: the
  // largest radicand's root, a little below 2^32 * (1 - 2^-54), rounds to 2^32 * (1 - 2^-53).
  const root = sqrt<f64>(radicand as f64) as u64;
  return root * root > radicand ? root - 1 : root;
}
