/**
 * The parts of Zbb that work on the bytes of a word at once. Source: RISC-V ISA manual, "orc.b" and "rev8".
 */

/** ORC.B: each byte that has any bit set becomes 0xff, the others stay 0. */
export function combineBytes(value: u64): u64 {
  // Adding 0x7f carries into bit 7 of a byte exactly if one of its lower bits is set.
  const carried = ((value & 0x7f7f7f7f7f7f7f7f) + 0x7f7f7f7f7f7f7f7f) | value;
  return ((carried & 0x8080808080808080) >> 7) * 0xff;
}

/** REV8: the bytes in reverse order. */
export function reverseBytes(value: u64): u64 {
  const bytes = ((value >> 8) & 0x00ff00ff00ff00ff) | ((value & 0x00ff00ff00ff00ff) << 8);
  const halves = ((bytes >> 16) & 0x0000ffff0000ffff) | ((bytes & 0x0000ffff0000ffff) << 16);
  return rotr(halves, 32);
}
