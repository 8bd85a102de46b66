/**
 * Physical memory protection: which physical addresses S and U mode may read, write and execute, and M mode where an
 * entry is locked. 16 entries, granularity 4 bytes. Accesses ask here on slow paths only: a fast entry is for a page
 * of which every byte permits the access, and a change of an entry drops them all.
 * Source: RISC-V privileged manual 1.12, "Physical Memory Protection". Omitted: Smepmp (mseccfg).
 */
import { FETCH_VIRTUAL, NONE, PMPADDR, PMPCFG } from './layout';
import { dropFastAll } from './tlb';

export const RIGHT_READ: u32 = 1;
export const RIGHT_WRITE: u32 = 2;
export const RIGHT_EXECUTE: u32 = 4;
const RIGHTS_ALL: u32 = 7;

const ENTRIES: u32 = 16;
const MODE_TOR: u32 = 1;
const MODE_NA4: u32 = 2;
const LOCKED: u32 = 0x80;
const CONFIG_MASK: u32 = 0x9f;
const ADDRESS_MASK: u64 = 0x003fffffffffffff;
const PHYSICAL_END: u64 = 1 << 56;

/** The first entry in use gives everybody everything: derived. */
export let isOpen: bool = false;
/** Of the entry that setRange was asked for; the end is the first address behind it. */
let rangeStart: u64 = 0;
let rangeEnd: u64 = 0;

/** To be called whenever an entry has changed. */
export function refreshProtection(): void {
  isOpen = false;
  for (let entry: u32 = 0; entry < ENTRIES; entry++) {
    if (!setRange(entry)) continue;
    isOpen = rangeStart === 0 && rangeEnd >= PHYSICAL_END && (configOf(entry) & RIGHTS_ALL) === RIGHTS_ALL;
    return;
  }
}

/** No entry restricts anybody: what firmware leaves behind that protects nothing. */
export function openProtection(): void {
  memory.fill(PMPCFG, 0, ENTRIES);
  store<u8>(PMPCFG, 0x1f);
  store<u64>(PMPADDR, ADDRESS_MASK);
  refreshProtection();
}

/** Whether a privilege has a right to all of `size` bytes. An access that an entry covers in part only fails, also in M mode. */
export function isPermitted(physical: u64, size: u32, privilege: u32, right: u32): bool {
  if (isOpen) return true;
  const end = physical + (size as u64);
  for (let entry: u32 = 0; entry < ENTRIES; entry++) {
    if (!setRange(entry) || rangeEnd <= physical || rangeStart >= end) continue;
    if (rangeStart > physical || rangeEnd < end) return false;
    const config = configOf(entry);
    return (privilege === 3 && (config & LOCKED) === 0) || (config & right) !== 0;
  }
  return privilege === 3;
}

/** `value` goes to eight entries from `first` on; those that are locked stay as they are. */
export function writeConfig(first: u32, value: u64): void {
  for (let i: u32 = 0; i < 8; i++) {
    const entry = first + i;
    if ((configOf(entry) & LOCKED) !== 0) continue;
    store<u8>(PMPCFG + entry, (((value >> ((i << 3) as u64)) as u32) & CONFIG_MASK) as u8);
  }
  changed();
}

/** Nothing if the entry is locked, or is where a locked range begins. */
export function writeAddress(entry: u32, value: u64): void {
  if ((configOf(entry) & LOCKED) !== 0) return;
  if (entry + 1 < ENTRIES) {
    const next = configOf(entry + 1);
    if ((next & LOCKED) !== 0 && modeOf(next) === MODE_TOR) return;
  }
  store<u64>(PMPADDR + (entry << 3), value & ADDRESS_MASK);
  changed();
}

function changed(): void {
  refreshProtection();
  dropFastAll();
  store<u64>(FETCH_VIRTUAL, NONE);
}

function configOf(entry: u32): u32 {
  return load<u8>(PMPCFG + entry) as u32;
}

function modeOf(config: u32): u32 {
  return (config >> 3) & 3;
}

/** False if the entry matches nothing. */
function setRange(entry: u32): bool {
  const mode = modeOf(configOf(entry));
  if (mode === 0) return false;
  const address = load<u64>(PMPADDR + (entry << 3));
  if (mode === MODE_TOR) {
    rangeStart = entry === 0 ? 0 : load<u64>(PMPADDR + ((entry - 1) << 3)) << 2;
    rangeEnd = address << 2;
    return rangeStart < rangeEnd;
  }
  // Naturally aligned: the trailing ones and the zero before them are the range's.
  const inside: u64 = mode === MODE_NA4 ? 0 : address ^ (address + 1);
  rangeStart = (address & ~inside) << 2;
  rangeEnd = rangeStart + ((inside + 1) << 2);
  return true;
}
