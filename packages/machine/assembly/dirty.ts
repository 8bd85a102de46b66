/**
 * The dirty log. `markDirty` is called before every write to RAM that is not a fast store: slow stores, A/D
 * updates, device writes, restored pages. One epoch bitmap, OR-ed into one accumulator per consumer by a harvest;
 * other threads take accumulators word by word with an atomic exchange.
 * Source: design, "Dirty log and self-modifying code through the store TLB".
 */
import { dropCode, dropWrittenCode } from './code-cache';
import {
  BITMAP_BYTES,
  DIRTY,
  DIRTY_CONSUMERS,
  EPOCH,
  FREE,
  PAGE_BYTES,
  RAM,
  RAM_BASE,
  RAM_PAGES,
  TOUCHED,
} from './layout';
import { requirePages } from './missing-pages';
import { dropFastStores } from './tlb';

/** `page` counts from the start of RAM. */
export function markDirty(page: u32): void {
  const bit = (1 as u32) << (page & 31);
  const word = (page >> 5) << 2;
  const free = load<u32>(FREE + word);
  if ((free & bit) !== 0) store<u32>(FREE + word, free & ~bit);
  const epoch = load<u32>(EPOCH + word);
  if ((epoch & bit) !== 0) return;
  store<u32>(EPOCH + word, epoch | bit);
  store<u32>(TOUCHED + word, load<u32>(TOUCHED + word) | bit);
}

/**
 * The guest does not need these pages, which hold zeros, until it writes them again. That must come by here: fast stores
 * are to be dropped (`dropFastStores`) before it runs on.
 */
export function markFree(first: u32, count: u32): void {
  for (let page = first; page < first + count; page++) {
    const word = (page >> 5) << 2;
    store<u32>(FREE + word, load<u32>(FREE + word) | ((1 as u32) << (page & 31)));
  }
}

/** Must precede every write to RAM by a device: marks the pages dirty and drops code decoded from them. */
export function dmaPrepare(offset: u32, length: u32): void {
  if (length === 0) return;
  const first = offset >> 12;
  const last = (offset + length - 1) >> 12;
  for (let page = first; page <= last; page++) {
    markDirty(page);
    dropCode(page);
  }
}

/** Marks dirty and drops exactly the entries of the bytes that a slow store writes. */
export function storePrepare(host: u32, size: u32): void {
  const offset = host - RAM;
  markDirty(offset >> 12);
  dropWrittenCode(offset, size);
}

/**
 * Hands the epoch to the consumers in `consumers` (a bit each) and begins a new one. Between slices only.
 * Returns the number of pages in the epoch.
 */
export function harvest(consumers: u32): u32 {
  const bytes = min<u32>(BITMAP_BYTES, ((load<u32>(RAM_PAGES) + 63) >> 6) << 3);
  let pages: u32 = 0;
  for (let at: u32 = 0; at < bytes; at += 8) {
    const word = load<u64>(EPOCH + at);
    if (word === 0) continue;
    pages += popcnt<u64>(word) as u32;
    for (let consumer: u32 = 0; consumer < DIRTY_CONSUMERS; consumer++) {
      if (((consumers >> consumer) & 1) === 0) continue;
      const target = DIRTY + consumer * BITMAP_BYTES + at;
      atomic.or<u32>(target, word as u32);
      atomic.or<u32>(target, (word >> 32) as u32, 4);
    }
    store<u64>(EPOCH + at, 0);
  }
  if (pages !== 0) dropFastStores();
  return pages;
}

/**
 * Host address of a guest physical address, 0 if `size` bytes there are not in RAM. All that the hart does to RAM by
 * itself begins here, once for each fast entry: when it returns, the pages are there.
 */
export function ramAddress(physical: u64, size: u32): u32 {
  const offset = physical - RAM_BASE;
  const bytes = (load<u32>(RAM_PAGES) as u64) * (PAGE_BYTES as u64);
  if (offset >= bytes || offset + (size as u64) > bytes) return 0;
  requirePages(offset as u32, size);
  return (offset as u32) + RAM;
}
