/**
 * The pool of decoded pages: which RAM page has which slot. Slots are given out in turn, and the oldest is the
 * victim. The guest cannot see any of it: what is dropped is decoded again.
 * Source: design, "Interpreter".
 */
import { PAGE_END } from './generated/operation-numbers';
import {
  CODE_LOOKUPS,
  CODE_PAGE,
  CODE_POOL,
  CODE_SLOT,
  CODE_SLOTS,
  CODE_STORES,
  CODE_STRIDE,
} from './layout';
import { dropFastFetches, dropStoreAliases } from './tlb';

/** A page that takes this many slow stores without being entered is data now and gives its slot back. */
const STORES_MAX: u32 = 32;

let hand: u32 = 0;
/** First entry of the page that the interpreter runs in; it must not be given back under it. */
export let runningBase: u32 = 0;

export function slotBase(slot: u32): u32 {
  return CODE_POOL + slot * CODE_STRIDE;
}

/** RAM page whose entries begin at `base`. */
export function pageOfBase(base: u32): u32 {
  return load<u32>(CODE_PAGE + (((base - CODE_POOL) / CODE_STRIDE) << 2)) - 1;
}

export function setRunningBase(base: u32): void {
  runningBase = base;
}

/** Address of the first entry of a RAM page; makes the page a code page if it is none. */
export function codeBase(page: u32): u32 {
  const known = load<u16>(CODE_SLOT + (page << 1)) as u32;
  if (known !== 0) {
    store<u32>(CODE_STORES + ((known - 1) << 2), 0);
    countLookup(known - 1);
    return slotBase(known - 1);
  }
  const slot = hand;
  hand = hand + 1 === CODE_SLOTS ? 0 : hand + 1;
  const victim = load<u32>(CODE_PAGE + (slot << 2));
  if (victim !== 0) releaseSlot(victim - 1, slot);
  const base = slotBase(slot);
  store<u32>(CODE_PAGE + (slot << 2), page + 1);
  store<u32>(CODE_STORES + (slot << 2), 0);
  store<u8>(CODE_LOOKUPS + slot, 1);
  store<u16>(CODE_SLOT + (page << 1), (slot + 1) as u16);
  store<u64>(base, PAGE_END as u64, 16384);
  dropStoreAliases(page);
  return base;
}

function countLookup(slot: u32): void {
  const lookups = load<u8>(CODE_LOOKUPS + slot);
  if (lookups !== 255) store<u8>(CODE_LOOKUPS + slot, lookups + 1);
}

function releaseSlot(page: u32, slot: u32): void {
  const base = slotBase(slot);
  store<u16>(CODE_SLOT + (page << 1), 0);
  store<u32>(CODE_PAGE + (slot << 2), 0);
  memory.fill(base, 0, 16384);
  dropFastFetches(base);
}

/** Forgets everything decoded from a RAM page. Not while the interpreter runs in it: between slices, or by a device. */
export function dropCode(page: u32): void {
  const known = load<u16>(CODE_SLOT + (page << 1)) as u32;
  if (known === 0) return;
  if (slotBase(known - 1) === runningBase) memory.fill(runningBase, 0, 16384);
  else releaseSlot(page, known - 1);
}

/** Forgets every decoded page (restore, reset). */
export function dropAllCode(): void {
  runningBase = 0;
  for (let slot: u32 = 0; slot < CODE_SLOTS; slot++) {
    const page = load<u32>(CODE_PAGE + (slot << 2));
    if (page !== 0) releaseSlot(page - 1, slot);
  }
  hand = 0;
}

export function isCodePage(page: u32): bool {
  return load<u16>(CODE_SLOT + (page << 1)) !== 0;
}

/**
 * Drops the entries of the bytes written at a RAM offset and of the 6 bytes before them (an instruction has 4 bytes,
 * a fused pair 8). The range must not cross a page.
 */
export function dropWrittenCode(offset: u32, size: u32): void {
  const page = offset >> 12;
  const known = load<u16>(CODE_SLOT + (page << 1)) as u32;
  if (known === 0) return;
  const stores = CODE_STORES + ((known - 1) << 2);
  const count = load<u32>(stores) + 1;
  store<u32>(stores, count);
  if (count > STORES_MAX && slotBase(known - 1) !== runningBase) {
    releaseSlot(page, known - 1);
    return;
  }
  const inPage = offset & 4095;
  const first: u32 = inPage < 6 ? 0 : (inPage - 6) >> 1;
  const last = (inPage + size - 1) >> 1;
  const base = slotBase(known - 1);
  // Operations only: a pair before the range reads the fields of its second entry, whose bytes did not change.
  for (let entry = first; entry <= last; entry++) store<u8>(base + (entry << 3), 0);
}
