/**
 * Sign injection: the magnitude of a with a sign made of those of a and b. NaNs are bits like any other.
 * Source: RISC-V Unprivileged ISA 20240411, "F" extension, FSGNJ, FSGNJN and FSGNJX.
 */
import { magnitudeOf, signOf, zeroOf } from './format';

export function injectSign<T>(a: T, b: T): T {
  return withSign<T>(a, signOf<T>(b));
}

export function injectNegatedSign<T>(a: T, b: T): T {
  return withSign<T>(a, signOf<T>(b) ^ 1);
}

export function injectExclusiveOrSign<T>(a: T, b: T): T {
  return withSign<T>(a, signOf<T>(a) ^ signOf<T>(b));
}

function withSign<T>(a: T, sign: u32): T {
  return (magnitudeOf<T>(a) | (zeroOf<T>(sign) as u64)) as T;
}
