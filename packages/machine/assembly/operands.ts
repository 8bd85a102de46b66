/**
 * The operands of a decoded entry, as the interpreter's cases read them: 8 bytes {operation, rd, rs1, rs2 (u8 each),
 * imm (i32)}, where registers are offsets in their file. What is written to x0 has an operation of its own.
 */
import { FREG, MSTATUS, XREG } from './layout';

export function source1(ip: u32): u64 {
  return load<u64>(load<u8>(ip, 2) as u32, XREG);
}

export function source2(ip: u32): u64 {
  return load<u64>(load<u8>(ip, 3) as u32, XREG);
}

/** Where in its register file the result goes. */
export function destination(ip: u32): u32 {
  return load<u8>(ip, 1) as u32;
}

export function floatSource2(ip: u32): u64 {
  return load<u64>(load<u8>(ip, 3) as u32, FREG);
}

export function immediate(ip: u32): u64 {
  // One sign-extending load. A load and an extension make the engine load twice.
  const value: i64 = load<i32>(ip, 4);
  return value as u64;
}

/** A 32-bit result, sign-extended. */
export function word(value: u32): u64 {
  return value as i32 as i64 as u64;
}

/** The virtual address of the instruction at an entry: an entry is 8 bytes for each 2 of the page. */
export function pcOf(ip: u32, pcBase: u64): u64 {
  return pcBase + ((ip >> 2) as u64);
}

/** What pcOf adds, for a page whose first entry is at `entryBase`. */
export function pcBaseOf(entryBase: u32, virtualBase: u64): u64 {
  return virtualBase - ((entryBase >> 2) as u64);
}

/** FS = dirty: floating-point state may be written without any further ado. */
export function isFloatDirty(): bool {
  return (load<u32>(MSTATUS) & 0x6000) === 0x6000;
}
