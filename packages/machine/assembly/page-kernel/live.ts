/** A machine's live memory, which is another than this module's: addresses there are offsets in it (src/live-access.ts). */

export declare function toOwn(own: usize, live: usize, bytes: u32): void;
export declare function toLive(live: usize, own: usize, bytes: u32): void;
export declare function clear(live: usize, bytes: u32): void;
export declare function load(live: usize): u32;
export declare function or(live: usize, bits: u32): void;
/** Position-keyed, of a page where it stands. */
export declare function pageHash(live: usize, page: u32): u64;

let ram: usize = 0;
let touched: usize = 0;
let free: usize = 0;
let rewritten: usize = 0;

/** Where the guest's RAM begins, and the bitmaps of pages: all in live memory. */
export function setLive(ramAt: usize, touchedAt: usize, freeAt: usize, rewrittenAt: usize): void {
  ram = ramAt;
  touched = touchedAt;
  free = freeAt;
  rewritten = rewrittenAt;
}

export function liveAddress(page: u32): usize {
  return ram + ((page as usize) << 12);
}

/** Whether the page was ever written. */
export function isTouched(page: u32): bool {
  return hasBit(touched, page);
}

/** Beside the running vCPU: atomic. */
export function markTouched(page: u32): void {
  or(wordOf(touched, page), 1 << (page & 31));
}

/** The page was written just now: whoever decoded its code before did not see all of it. */
export function markRewritten(page: u32): void {
  or(wordOf(rewritten, page), 1 << (page & 31));
}

/** Whether the guest said that it does not need the page, and has not written it since. */
export function isFree(page: u32): bool {
  return hasBit(free, page);
}

function hasBit(bitmap: usize, page: u32): bool {
  return ((load(wordOf(bitmap, page)) >> (page & 31)) & 1) !== 0;
}

function wordOf(bitmap: usize, page: u32): usize {
  return bitmap + (((page >> 5) as usize) << 2);
}
