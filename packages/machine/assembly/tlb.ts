/**
 * Two levels of remembered translations. The architectural TLB is machine state: direct-mapped, filled by walks,
 * emptied by the guest alone. Fast entries are caches derived from it, one set of tables per mmu index; host
 * events drop them, and a refill whose architectural entry exists never walks again.
 * Source: design, "TLB". Omitted: ASIDs; a write of satp that changes it empties the TLB.
 */
import {
  EPOCH,
  FAST,
  FAST_INDICES,
  FAST_LOAD,
  FAST_STORE,
  FAST_STRIDE,
  PAGE_MASK,
  RAM,
  TLB,
  TLB_ENTRIES,
  TLB_SAVED,
  TLB_SEEN,
  TLB_USED,
  TLB_USED_COUNT,
} from './layout';

/** Mmu indices; INDEX_NONE is never filled. */
export const INDEX_USER: u32 = 0;
export const INDEX_SUPERVISOR: u32 = 1;
export const INDEX_SUPERVISOR_SUM: u32 = 2;
/** Untranslated. M mode has an index of its own, as other entries of PMP restrict it. */
export const INDEX_BARE: u32 = 3;
export const INDEX_MACHINE: u32 = 4;
export const INDEX_NONE: u32 = 5;

/** No page looks like this, and no address of an access with the low bits that an aligned one would not have. */
const EMPTY: u64 = 0x800;
const SLOT_MASK: u32 = (TLB_ENTRIES - 1) << 4;

export function fastSlot(virtual: u64): u32 {
  return ((virtual as u32) >> 8) & SLOT_MASK;
}

/** The architectural entry of a virtual page, or 0: the pte with its level in bits 55:54. */
export function tlbLookup(virtual: u64): u64 {
  const slot = TLB + fastSlot(virtual);
  return load<u64>(slot) === ((virtual & PAGE_MASK) | 1) ? load<u64>(slot, 8) : 0;
}

export function tlbInsert(virtual: u64, pte: u64): void {
  const offset = fastSlot(virtual);
  const slot = TLB + offset;
  if (load<u64>(slot) === 0) {
    const used = load<u64>(TLB_USED_COUNT) as u32;
    store<u32>(TLB_USED + (used << 2), offset);
    store<u64>(TLB_USED_COUNT, (used + 1) as u64);
  }
  store<u64>(slot, (virtual & PAGE_MASK) | 1);
  store<u64>(slot, pte, 8);
  dropFastSlot(offset);
}

export function tlbFlushAll(): void {
  const used = load<u64>(TLB_USED_COUNT) as u32;
  for (let i: u32 = 0; i < used; i++) {
    const offset = load<u32>(TLB_USED + (i << 2));
    store<u64>(TLB + offset, 0);
    store<u64>(TLB + offset, 0, 8);
    dropFastSlot(offset);
  }
  store<u64>(TLB_USED_COUNT, 0);
}

/** Drops every entry whose leaf spans the address. */
export function tlbFlushAddress(virtual: u64): void {
  const used = load<u64>(TLB_USED_COUNT) as u32;
  let kept: u32 = 0;
  for (let i: u32 = 0; i < used; i++) {
    const offset = load<u32>(TLB_USED + (i << 2));
    const shift = 12 + 9 * ((load<u64>(TLB + offset, 8) >> 54) & 3);
    if (load<u64>(TLB + offset) >> shift === virtual >> shift) {
      store<u64>(TLB + offset, 0);
      store<u64>(TLB + offset, 0, 8);
      dropFastSlot(offset);
    } else {
      store<u32>(TLB_USED + (kept << 2), offset);
      kept++;
    }
  }
  store<u64>(TLB_USED_COUNT, kept as u64);
}

/** Puts the entries in use to TLB_SAVED, in the order of their use; returns how many they are. */
export function saveTlb(): u32 {
  const used = load<u64>(TLB_USED_COUNT) as u32;
  for (let i: u32 = 0; i < used; i++)
    memory.copy(TLB_SAVED + (i << 4), TLB + load<u32>(TLB_USED + (i << 2)), 16);
  return used;
}

/** Whether `count` entries at TLB_SAVED could have been saved by some machine: leaves, each in a slot of its own. */
export function canRestoreTlb(count: u32): bool {
  memory.fill(TLB_SEEN, 0, TLB_ENTRIES >> 3);
  for (let i: u32 = 0; i < count; i++) {
    const tag = load<u64>(TLB_SAVED + (i << 4));
    const pte = load<u64>(TLB_SAVED + (i << 4), 8);
    const slot = fastSlot(tag) >> 4;
    const seen = load<u8>(TLB_SEEN + (slot >> 3)) as u32;
    const bit: u32 = 1 << (slot & 7);
    if ((tag & ~PAGE_MASK) !== 1 || (pte & 0xcb) === 0 || pte >> 54 > 2 || (seen & bit) !== 0) return false;
    store<u8>(TLB_SEEN + (slot >> 3), (seen | bit) as u8);
  }
  return true;
}

/** The entries at TLB_SAVED, which have been checked, are all that there are. What is derived from others is for refreshDerived to drop. */
export function restoreTlb(count: u32): void {
  memory.fill(TLB, 0, TLB_ENTRIES << 4);
  for (let i: u32 = 0; i < count; i++) {
    const offset = fastSlot(load<u64>(TLB_SAVED + (i << 4)));
    memory.copy(TLB + offset, TLB_SAVED + (i << 4), 16);
    store<u32>(TLB_USED + (i << 2), offset);
  }
  store<u64>(TLB_USED_COUNT, count as u64);
}

function dropFastSlot(offset: u32): void {
  for (let index: u32 = 0; index < INDEX_BARE; index++) {
    const table = FAST + index * FAST_STRIDE + offset;
    store<u64>(table, EMPTY);
    store<u64>(table, EMPTY, FAST_LOAD);
    store<u64>(table, EMPTY, FAST_STORE);
  }
}

/** Host event: everything derived is forgotten. */
export function dropFastAll(): void {
  for (let at: u32 = FAST; at < FAST + FAST_INDICES * FAST_STRIDE; at += 16) store<u64>(at, EMPTY);
}

export function dropFastStores(): void {
  for (let index: u32 = 0; index < FAST_INDICES; index++) {
    const table = FAST + index * FAST_STRIDE + FAST_STORE;
    for (let at: u32 = 0; at < TLB_ENTRIES << 4; at += 16) store<u64>(table + at, EMPTY);
  }
}

/** Drops the fetch entries that lead to the decoded page at `base`. */
export function dropFastFetches(base: u32): void {
  for (let index: u32 = 0; index < INDEX_NONE; index++) {
    const table = FAST + index * FAST_STRIDE;
    for (let at: u32 = 0; at < TLB_ENTRIES << 4; at += 16) {
      if (load<u32>(table + at, 8) === base) {
        store<u64>(table + at, EMPTY);
        store<u32>(table + at, 0, 8);
      }
    }
  }
}

/**
 * Drops the store entries that reach a RAM page, because it holds decoded code now. There are none where it was not written in
 * this epoch (access.ts, fillStore; a harvest drops all of them): a hundred pages and more are decoded at once for a guest that arrives.
 */
export function dropStoreAliases(page: u32): void {
  if (((load<u32>(EPOCH + ((page >> 5) << 2)) >> (page & 31)) & 1) === 0) return;
  const host = RAM + (page << 12);
  for (let index: u32 = 0; index < INDEX_NONE; index++) {
    const table = FAST + index * FAST_STRIDE + FAST_STORE;
    for (let at: u32 = 0; at < TLB_ENTRIES << 4; at += 16) {
      const tag = load<u64>(table + at);
      if (tag !== EMPTY && (tag as u32) + load<u32>(table + at, 8) === host) store<u64>(table + at, EMPTY);
    }
  }
}

/** `table` is 0 (fetch: `value` is the entry base) or FAST_LOAD or FAST_STORE (`value` is host - virtual). */
export function fillFast(index: u32, table: u32, virtual: u64, value: u32): void {
  if (index === INDEX_NONE) return;
  const slot = FAST + index * FAST_STRIDE + table + fastSlot(virtual);
  store<u64>(slot, virtual & PAGE_MASK);
  store<u32>(slot, value, 8);
}
