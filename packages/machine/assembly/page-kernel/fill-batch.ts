/**
 * Puts pages of live RAM into a batch: copies each once, then as nothing if it is zero, as its change if its last sent
 * copy is at hand and little changed, else whole. The vCPU may run meanwhile.
 */
import {
  DATA_BYTES_MAX,
  DATA_OFFSET,
  DELTA,
  DELTA_BYTES_MAX,
  ENTRIES_MAX,
  entryAt,
  HASH_SUM_BYTES,
  HEADER_BYTES,
  PAGE_BYTES,
  RAW,
  ZERO,
} from './batch-layout';
import { noteHash } from './hash-table';
import { isFree, liveAddress, toOwn } from './live';
import { encodeDelta } from './page-delta';
import { pageHash, pageIsZero } from './page-hash';
import { copyOf, dropCopy, keepCopy } from './sent-copies';

/** Of the batch that was filled last. */
export let entries: u32 = 0;
export let dataBytes: u32 = 0;
export let zeroPages: u32 = 0;
/** Zero, and the guest does not need them: without an entry where they were never sent. */
export let freePages: u32 = 0;
export let deltaPages: u32 = 0;
/** Left out: they have been written again, and go with what is sent later. */
export let rewrittenPages: u32 = 0;

/** Of the pages in the batch. */
let hashSum: u64 = 0;
let scratch: usize = 0;
let rewritten: usize = 0;

/** A page's room, for changes on their way into a batch. */
export function setScratch(at: usize): void {
  scratch = at;
}

/** A bit a page: these have been written again since the list was made. */
export function setRewritten(at: usize): void {
  rewritten = at;
}

/** Writes the numbers of the pages of a bitmap to `list`; returns how many they are. */
export function listPages(bitmap: usize, words: u32, list: usize): u32 {
  let count: u32 = 0;
  for (let word: u32 = 0; word < words; word++) {
    let bits = load<u32>(bitmap + (word << 2));
    while (bits !== 0) {
      store<u32>(list + (count << 2), (word << 5) + ctz<u32>(bits));
      count++;
      bits &= bits - 1;
    }
  }
  return count;
}

/**
 * Takes from the `count` page numbers at `list` until the batch is full; returns how many it took. `skipsFree`: without
 * those that the guest does not need. `keepsCopies`: they may well be sent again.
 */
export function fillBatch(batch: usize, list: usize, count: u32, skipsFree: bool, keepsCopies: bool): u32 {
  entries = 0;
  dataBytes = 0;
  zeroPages = 0;
  freePages = 0;
  deltaPages = 0;
  rewrittenPages = 0;
  hashSum = 0;
  let taken: u32 = 0;
  while (taken < count && entries < ENTRIES_MAX && dataBytes + PAGE_BYTES <= DATA_BYTES_MAX) {
    const page = load<u32>(list + (taken << 2));
    taken++;
    if (isRewritten(page)) {
      rewrittenPages++;
      continue;
    }
    // Read before the page: what the guest writes to it from now on is in its dirty log.
    const isUnneeded = isFree(page);
    if (isUnneeded && skipsFree) freePages++;
    else addPage(batch, page, keepsCopies, isUnneeded);
  }
  store<u64>(batch + HEADER_BYTES - HASH_SUM_BYTES, hashSum);
  return taken;
}

function isRewritten(page: u32): bool {
  return ((load<u8>(rewritten + (page >> 3)) >> ((page & 7) as u8)) & 1) !== 0;
}

function addPage(batch: usize, page: u32, keepsCopies: bool, isUnneeded: bool): void {
  const data = batch + DATA_OFFSET + dataBytes;
  toOwn(data, liveAddress(page), PAGE_BYTES);
  if (pageIsZero(data) !== 0) {
    addEntry(batch, page, ZERO, 0);
    noteHash(page, 0);
    dropCopy(page);
    if (isUnneeded) freePages++;
    else zeroPages++;
    return;
  }
  const hash = pageHash(data, page);
  noteHash(page, hash);
  hashSum += hash;
  const before = copyOf(page);
  const length = before === 0 ? -1 : encodeDelta(before, data, scratch, DELTA_BYTES_MAX);
  if (keepsCopies) keepCopy(page, data);
  if (length < 0) {
    addEntry(batch, page, RAW, PAGE_BYTES);
    return;
  }
  memory.copy(data, scratch, length);
  addEntry(batch, page, DELTA, length);
  deltaPages++;
}

function addEntry(batch: usize, page: u32, kind: u16, bytes: u32): void {
  const at = entryAt(batch + HEADER_BYTES, entries);
  store<u32>(at, page);
  store<u16>(at, kind, 4);
  store<u16>(at, bytes as u16, 6);
  entries++;
  dataBytes += bytes;
}
