/**
 * Core-local interruptor of hart 0: msip, mtimecmp, mtime.
 * Source: SiFive FU540 manual, "Core-Local Interruptor", as on QEMU's virt board (hw/intc/riscv_aclint.c).
 */
import { currentSteps, refreshTimers, timeAt } from './clock';
import { CLINT_MSIP, CLINT_MTIMECMP } from './layout';

export const CLINT_BASE: u64 = 0x02000000;
export const CLINT_SIZE: u64 = 0x10000;

const MTIMECMP: u32 = 0x4000;
const MTIME: u32 = 0xbff8;

/** Reads 4 or 8 aligned bytes; harts that are not there read as 0. */
export function clintRead(offset: u32, size: u32): u64 {
  let value: u64 = 0;
  const aligned = offset & ~7;
  if (aligned === MTIMECMP) value = load<u64>(CLINT_MTIMECMP);
  else if (aligned === MTIME) value = timeAt(currentSteps());
  else if (aligned === 0) value = load<u64>(CLINT_MSIP) & 1;
  if (size === 8) return value;
  return (offset & 4) !== 0 ? value >> 32 : value & 0xffffffff;
}

export function clintWrite(offset: u32, size: u32, value: u64): void {
  if ((offset & ~7) === MTIMECMP) {
    let compare = load<u64>(CLINT_MTIMECMP);
    if (size === 8) compare = value;
    else if ((offset & 4) !== 0) compare = (compare & 0xffffffff) | (value << 32);
    else compare = (compare & 0xffffffff00000000) | (value & 0xffffffff);
    store<u64>(CLINT_MTIMECMP, compare);
    refreshTimers();
  } else if (offset === 0) store<u64>(CLINT_MSIP, value & 1);
  // Omitted: writes of mtime; time comes from outside as an input.
}
