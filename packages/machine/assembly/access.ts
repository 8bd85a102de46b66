/**
 * Loads and stores by virtual address, the slow way: translation, page crossing, devices. They fill the fast
 * entries that the interpreter tries first. Misaligned accesses to RAM succeed, as on QEMU; on devices they fault.
 */
import { busRead, busValue, busWrite } from './bus';
import { isCodePage } from './code-cache';
import { ramAddress, storePrepare } from './dirty';
import { FAST_LOAD, FAST_STORE, PAGE_MASK, RAM } from './layout';
import {
  ACCESS_LOAD,
  ACCESS_STORE,
  accessFault,
  isAccessPermitted,
  mmuIndex,
  NO_ADDRESS,
  setFault,
  translate,
} from './mmu';
import { fillFast } from './tlb';

/** What the last load read, zero-extended. */
export let loadedValue: u64 = 0;
/** Where the last failed access failed. */
export let faultAddress: u64 = 0;

/** False for an exception: faultCause and faultAddress say which. */
export function loadVirtual(virtual: u64, size: u32): bool {
  faultAddress = virtual;
  if (((virtual as u32) & 4095) + size > 4096) return loadCrossing(virtual, size);
  const physical = reach(virtual, size, ACCESS_LOAD);
  if (physical === NO_ADDRESS) return false;
  const host = ramAddress(physical, size);
  if (host === 0) {
    if (!busRead(physical, size)) return false;
    loadedValue = busValue;
    return true;
  }
  loadedValue = loadHost(host, size);
  fill(FAST_LOAD, virtual, physical, host, ACCESS_LOAD);
  return true;
}

/** False for an exception: faultCause and faultAddress say which, and nothing was written. */
export function storeVirtual(virtual: u64, size: u32, value: u64): bool {
  faultAddress = virtual;
  if (((virtual as u32) & 4095) + size > 4096) return storeCrossing(virtual, size, value);
  const physical = reach(virtual, size, ACCESS_STORE);
  if (physical === NO_ADDRESS) return false;
  const host = ramAddress(physical, size);
  if (host === 0) return busWrite(physical, size, value);
  storePrepare(host, size);
  storeHost(host, size, value);
  fillStore(virtual, physical, host);
  return true;
}

/** Host address for an atomic access, which needs the right to store; 0 for an exception. */
export function atomicAddress(virtual: u64, size: u32, access: u32): u32 {
  faultAddress = virtual;
  if ((virtual & ((size - 1) as u64)) !== 0) {
    setFault(access === ACCESS_LOAD ? 4 : 6);
    return 0;
  }
  const physical = reach(virtual, size, access);
  if (physical === NO_ADDRESS) return 0;
  const host = ramAddress(physical, size);
  if (host === 0) setFault(accessFault(access));
  else if (access === ACCESS_LOAD) fill(FAST_LOAD, virtual, physical, host, ACCESS_LOAD);
  else {
    storePrepare(host, size);
    fillStore(virtual, physical, host);
  }
  return host;
}

/** A fast store entry is for pages that are dirty in this epoch (they are: storePrepare) and hold no decoded code. */
function fillStore(virtual: u64, physical: u64, host: u32): void {
  if (!isCodePage((host - RAM) >> 12)) fill(FAST_STORE, virtual, physical, host, ACCESS_STORE);
}

/** Fast entries know no parts of pages. */
function fill(table: u32, virtual: u64, physical: u64, host: u32, access: u32): void {
  if (!isAccessPermitted(physical & PAGE_MASK, 4096, access)) return;
  fillFast(mmuIndex(), table, virtual, host - (virtual as u32));
}

/** Physical address of `size` bytes in one page that may be accessed so, or NO_ADDRESS with faultCause set. */
function reach(virtual: u64, size: u32, access: u32): u64 {
  const physical = translate(virtual, access);
  if (physical === NO_ADDRESS || isAccessPermitted(physical, size, access)) return physical;
  return setFault(accessFault(access));
}

function loadHost(host: u32, size: u32): u64 {
  if (size === 8) return load<u64>(host);
  if (size === 4) return load<u32>(host) as u64;
  if (size === 2) return load<u16>(host) as u64;
  return load<u8>(host) as u64;
}

function storeHost(host: u32, size: u32, value: u64): void {
  if (size === 8) store<u64>(host, value);
  else if (size === 4) store<u32>(host, value as u32);
  else if (size === 2) store<u16>(host, value as u16);
  else store<u8>(host, value as u8);
}

/** Both pages are translated before the first byte moves. The second fault's address is the second page. */
function loadCrossing(virtual: u64, size: u32): bool {
  const before: u32 = 4096 - ((virtual as u32) & 4095);
  const first = crossingHost(virtual, before, ACCESS_LOAD);
  if (first === 0) return false;
  const second = crossingHost((virtual + (size as u64)) & PAGE_MASK, size - before, ACCESS_LOAD);
  if (second === 0) return false;
  let value: u64 = 0;
  for (let i: u32 = 0; i < size; i++) {
    const byte = load<u8>(i < before ? first + i : second + (i - before)) as u64;
    value |= byte << ((i << 3) as u64);
  }
  loadedValue = value;
  return true;
}

function storeCrossing(virtual: u64, size: u32, value: u64): bool {
  const before: u32 = 4096 - ((virtual as u32) & 4095);
  const first = crossingHost(virtual, before, ACCESS_STORE);
  if (first === 0) return false;
  const second = crossingHost((virtual + (size as u64)) & PAGE_MASK, size - before, ACCESS_STORE);
  if (second === 0) return false;
  storePrepare(first, before);
  storePrepare(second, size - before);
  for (let i: u32 = 0; i < size; i++) {
    store<u8>(i < before ? first + i : second + (i - before), (value >> ((i << 3) as u64)) as u8);
  }
  return true;
}

function crossingHost(virtual: u64, size: u32, access: u32): u32 {
  faultAddress = virtual;
  const physical = reach(virtual, size, access);
  if (physical === NO_ADDRESS) return 0;
  const host = ramAddress(physical, 1);
  if (host === 0) setFault(accessFault(access));
  return host;
}
