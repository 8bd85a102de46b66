/**
 * What lies behind a physical address that is not RAM: CLINT and PLIC here, everything else through one pair of
 * imports with 32-bit arguments. Only slow paths come here.
 * Source: QEMU's virt board, memory map in hw/riscv/virt.c.
 */
import { CLINT_BASE, CLINT_SIZE, clintRead, clintWrite } from './clint';
import { currentSteps } from './clock';
import { DEVICE_FAULT } from './layout';
import { ACCESS_LOAD, ACCESS_STORE, setFault } from './mmu';
import { PLIC_BASE, PLIC_SIZE, plicRead, plicWrite, setLine } from './plic';

declare function deviceRead(address: u32, size: u32): u32;
declare function deviceWrite(address: u32, size: u32, value: u32): u32;

/** Set by whatever may have changed which interrupts are pending, or asks the slice to end. */
let isDisturbed: bool = false;
let isKicked: bool = false;

/** True if the interpreter must look at the world again; forgets it. */
export function takeDisturbance(): bool {
  const disturbed = isDisturbed;
  isDisturbed = false;
  return disturbed;
}

export function takeKick(): bool {
  const kicked = isKicked;
  isKicked = false;
  return kicked;
}

export function disturb(): void {
  isDisturbed = true;
}

/** A device asks to be processed: the slice ends after this instruction. */
export function requestProcessing(): void {
  isKicked = true;
  isDisturbed = true;
}

/** The level of a device's line into the PLIC. */
export function setInterruptLine(source: u32, asserted: u32): void {
  setLine(source, asserted !== 0);
  isDisturbed = true;
}

/** Reads `size` aligned bytes; false with faultCause set for an access fault. The value is left in busValue. */
export let busValue: u64 = 0;

export function busRead(physical: u64, size: u32): bool {
  if ((physical & ((size - 1) as u64)) !== 0) return fault(ACCESS_LOAD);
  if (physical - CLINT_BASE < CLINT_SIZE && size >= 4) {
    busValue = clintRead((physical - CLINT_BASE) as u32, size);
    return true;
  }
  if (physical - PLIC_BASE < PLIC_SIZE && size === 4) {
    isDisturbed = true;
    busValue = plicRead((physical - PLIC_BASE) as u32) as u64;
    return true;
  }
  if (physical >> 32 !== 0 || size > 4) return fault(ACCESS_LOAD);
  store<u32>(DEVICE_FAULT, 0);
  busValue = deviceRead(physical as u32, size) as u64;
  return load<u32>(DEVICE_FAULT) === 0 ? true : fault(ACCESS_LOAD);
}

export function busWrite(physical: u64, size: u32, value: u64): bool {
  if ((physical & ((size - 1) as u64)) !== 0) return fault(ACCESS_STORE);
  if (physical - CLINT_BASE < CLINT_SIZE && size >= 4) {
    isDisturbed = true;
    clintWrite((physical - CLINT_BASE) as u32, size, value);
    return true;
  }
  if (physical - PLIC_BASE < PLIC_SIZE && size === 4) {
    isDisturbed = true;
    plicWrite((physical - PLIC_BASE) as u32, value as u32);
    return true;
  }
  if (physical >> 32 !== 0 || size > 4) return fault(ACCESS_STORE);
  store<u32>(DEVICE_FAULT, 0);
  deviceWrite(physical as u32, size, value as u32);
  return load<u32>(DEVICE_FAULT) === 0 ? true : fault(ACCESS_STORE);
}

function fault(access: u32): bool {
  setFault(access === ACCESS_LOAD ? 5 : 7);
  return false;
}

/** Steps completed before the instruction that makes the present access. */
export function accessSteps(): u64 {
  return currentSteps();
}
