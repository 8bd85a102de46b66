/**
 * The parts of M that WebAssembly has no instruction for: upper halves of products, and division by zero and
 * overflow, which do not trap. Source: RISC-V ISA manual, "M" Extension for Integer Multiplication and Division.
 */
export function multiplyHighUnsigned(a: u64, b: u64): u64 {
  const aLow = a & 0xffffffff;
  const aHigh = a >> 32;
  const bLow = b & 0xffffffff;
  const bHigh = b >> 32;
  const middle = aHigh * bLow + ((aLow * bLow) >> 32);
  const cross = aLow * bHigh + (middle & 0xffffffff);
  return aHigh * bHigh + (middle >> 32) + (cross >> 32);
}

export function multiplyHigh(a: u64, b: u64): u64 {
  const correction = ((a as i64) < 0 ? b : 0) + ((b as i64) < 0 ? a : 0);
  return multiplyHighUnsigned(a, b) - correction;
}

export function multiplyHighSignedUnsigned(a: u64, b: u64): u64 {
  return multiplyHighUnsigned(a, b) - ((a as i64) < 0 ? b : 0);
}

export function divide(a: u64, b: u64): u64 {
  if (b === 0) return 0xffffffffffffffff;
  if (a === 0x8000000000000000 && b === 0xffffffffffffffff) return a;
  return ((a as i64) / (b as i64)) as u64;
}

export function divideUnsigned(a: u64, b: u64): u64 {
  return b === 0 ? 0xffffffffffffffff : a / b;
}

export function remainder(a: u64, b: u64): u64 {
  if (b === 0) return a;
  if (b === 0xffffffffffffffff) return 0;
  return ((a as i64) % (b as i64)) as u64;
}

export function remainderUnsigned(a: u64, b: u64): u64 {
  return b === 0 ? a : a % b;
}

export function divideWord(a: u64, b: u64): u64 {
  const dividend = a as i32;
  const divisor = b as i32;
  if (divisor === 0) return 0xffffffffffffffff;
  // Not by negating: the compiler extends first and then negates, which is another number for the lowest one.
  if (divisor === -1 && dividend === i32.MIN_VALUE) return dividend as i64 as u64;
  return (dividend / divisor) as i64 as u64;
}

export function divideWordUnsigned(a: u64, b: u64): u64 {
  const divisor = b as u32;
  if (divisor === 0) return 0xffffffffffffffff;
  return ((a as u32) / divisor) as i32 as i64 as u64;
}

export function remainderWord(a: u64, b: u64): u64 {
  const dividend = a as i32;
  const divisor = b as i32;
  if (divisor === 0) return dividend as i64 as u64;
  if (divisor === -1) return 0;
  return (dividend % divisor) as i64 as u64;
}

export function remainderWordUnsigned(a: u64, b: u64): u64 {
  const divisor = b as u32;
  if (divisor === 0) return a as i32 as i64 as u64;
  return ((a as u32) % divisor) as i32 as i64 as u64;
}
