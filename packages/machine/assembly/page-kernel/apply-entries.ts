/**
 * Applies the entries of a page batch to live RAM. Each page is hashed where it was written, and their sum compared with
 * what the source hashed. What the entries say has been checked (packages/shared/src/frame/page.ts).
 */
import { DELTA, entryAt, HASH_SUM_BYTES, PAGE_BYTES, ZERO } from './batch-layout';
import { noteHash } from './hash-table';
import { clear, isTouched, liveAddress, markRewritten, markTouched, pageHash, toLive, toOwn } from './live';
import { applyDelta } from './page-delta';

/** All were applied, and one of them is another page than what the source hashed. */
export let isAnother: bool = false;

let hashSum: u64 = 0;
let changed: usize = 0;

/** A page's room, for one that is being changed. */
export function setChanged(at: usize): void {
  changed = at;
}

/** Returns how many were applied: if not all, the next one came as no change of a page, and that page is as it was. */
export function applyEntries(entries: usize, count: u32, data: usize): u32 {
  isAnother = false;
  hashSum = 0;
  for (let index: u32 = 0; index < count; index++) {
    const at = entryAt(entries, index);
    const bytes = load<u16>(at, 6) as u32;
    if (!applyEntry(load<u32>(at), load<u16>(at, 4), data, bytes)) return index;
    data += bytes;
  }
  isAnother = hashSum !== load<u64>(entries - HASH_SUM_BYTES);
  return count;
}

function applyEntry(page: u32, kind: u16, data: usize, bytes: u32): bool {
  const live = liveAddress(page);
  if (kind === ZERO) {
    // A zero page is not written where nothing stands: untouched memory stays unallocated.
    if (isTouched(page)) {
      clear(live, PAGE_BYTES);
      markRewritten(page);
    }
    noteHash(page, 0);
    return true;
  }
  let whole = data;
  if (kind === DELTA) {
    toOwn(changed, live, PAGE_BYTES);
    if (applyDelta(data, bytes, changed) === 0) return false;
    whole = changed;
  }
  toLive(live, whole, PAGE_BYTES);
  markTouched(page);
  markRewritten(page);
  const hash = pageHash(live, page);
  hashSum += hash;
  noteHash(page, hash);
  return true;
}
