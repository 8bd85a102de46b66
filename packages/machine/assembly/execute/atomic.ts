/**
 * LR/SC and AMOs. A reservation is a virtual address and the value that LR read there, as QEMU keeps it: SC
 * succeeds if the address is the same and memory still holds that value.
 * Source: RISC-V ISA manual, "A" Extension for Atomic Instructions.
 */
import { atomicAddress } from '../access';
import { NONE, RESERVATION_ADDRESS, RESERVATION_VALUE, XREG } from '../layout';
import { ACCESS_LOAD, ACCESS_STORE } from '../mmu';

export const DONE: u32 = 0;
export const ILLEGAL: u32 = 1;
export const FAULT: u32 = 2;

/** Executes one instruction of the AMO opcode; `rd` is a register slot. On FAULT nothing was changed. */
export function executeAtomic(instruction: u32, rd: u32): u32 {
  const width = (instruction >> 12) & 7;
  if (width !== 2 && width !== 3) return ILLEGAL;
  const size: u32 = width === 2 ? 4 : 8;
  const rs2 = (instruction >> 20) & 31;
  const virtual = load<u64>(XREG + (((instruction >> 15) & 31) << 3));
  const operand = load<u64>(XREG + (rs2 << 3));
  const funct5 = instruction >> 27;
  if (funct5 === 2) return rs2 === 0 ? loadReserved(virtual, size, rd) : ILLEGAL;
  if (funct5 === 3) return storeConditional(virtual, size, operand, rd);
  if ((funct5 & 3) !== 0 && funct5 !== 1) return ILLEGAL;
  const host = atomicAddress(virtual, size, ACCESS_STORE);
  if (host === 0) return FAULT;
  const before = read(host, size);
  write(host, size, combine(funct5, before, size === 4 ? (operand as i32 as i64 as u64) : operand));
  store<u64>(XREG + (rd << 3), before);
  return DONE;
}

function loadReserved(virtual: u64, size: u32, rd: u32): u32 {
  const host = atomicAddress(virtual, size, ACCESS_LOAD);
  if (host === 0) return FAULT;
  const value = read(host, size);
  store<u64>(RESERVATION_ADDRESS, virtual);
  store<u64>(RESERVATION_VALUE, value);
  store<u64>(XREG + (rd << 3), value);
  return DONE;
}

function storeConditional(virtual: u64, size: u32, operand: u64, rd: u32): u32 {
  let failed: u64 = 1;
  if (load<u64>(RESERVATION_ADDRESS) === virtual) {
    const host = atomicAddress(virtual, size, ACCESS_STORE);
    if (host === 0) return FAULT;
    if (read(host, size) === load<u64>(RESERVATION_VALUE)) {
      write(host, size, operand);
      failed = 0;
    }
  }
  store<u64>(RESERVATION_ADDRESS, NONE);
  store<u64>(XREG + (rd << 3), failed);
  return DONE;
}

function read(host: u32, size: u32): u64 {
  return size === 8 ? load<u64>(host) : (load<i32>(host) as i64 as u64);
}

function write(host: u32, size: u32, value: u64): void {
  if (size === 8) store<u64>(host, value);
  else store<u32>(host, value as u32);
}

/** Both operands sign-extended, so that 64-bit comparisons serve both widths (unsigned order is kept too). */
function combine(funct5: u32, a: u64, b: u64): u64 {
  switch (funct5) {
    case 0x00:
      return a + b;
    case 0x01:
      return b;
    case 0x04:
      return a ^ b;
    case 0x08:
      return a | b;
    case 0x0c:
      return a & b;
    case 0x10:
      return (a as i64) < (b as i64) ? a : b;
    case 0x14:
      return (a as i64) > (b as i64) ? a : b;
    case 0x18:
      return a < b ? a : b;
    default:
      return a > b ? a : b;
  }
}
