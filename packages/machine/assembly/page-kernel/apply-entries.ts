/**
 * Applies the entries of a page batch to live RAM. Each page is hashed where it was written and compared with what the
 * source hashed. What the entries say has been checked (packages/shared/src/frame/page.ts).
 */
import { DELTA, entryAt, PAGE_BYTES, ZERO } from './batch-layout';
import { noteHash } from './hash-table';
import { clear, isTouched, liveAddress, markTouched, pageHash, toLive, toOwn } from './live';
import { applyDelta } from './page-delta';

/** Of the entry that was not applied: it came as no change of a page, and RAM is as it was. */
export let isNoChange: bool = false;

let changed: usize = 0;

/** A page's room, for one that is being changed. */
export function setChanged(at: usize): void {
  changed = at;
}

/** Returns how many were applied: the next one came as no change of a page, or is another than what was hashed. */
export function applyEntries(entries: usize, count: u32, data: usize): u32 {
  isNoChange = false;
  for (let index: u32 = 0; index < count; index++) {
    const at = entryAt(entries, index);
    const bytes = load<u16>(at, 6) as u32;
    if (!applyEntry(load<u32>(at), load<u16>(at, 4), data, bytes, load<u64>(at, 8))) return index;
    data += bytes;
  }
  return count;
}

function applyEntry(page: u32, kind: u16, data: usize, bytes: u32, hash: u64): bool {
  const live = liveAddress(page);
  if (kind === ZERO) {
    // A zero page is not written where nothing stands: untouched memory stays unallocated.
    if (isTouched(page)) clear(live, PAGE_BYTES);
    noteHash(page, 0);
    return true;
  }
  let whole = data;
  if (kind === DELTA) {
    toOwn(changed, live, PAGE_BYTES);
    isNoChange = applyDelta(data, bytes, changed) === 0;
    if (isNoChange) return false;
    whole = changed;
  }
  toLive(live, whole, PAGE_BYTES);
  markTouched(page);
  if (pageHash(live, page) !== hash) return false;
  noteHash(page, hash);
  return true;
}
