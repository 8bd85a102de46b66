/**
 * What changed in a page since it was sent last, as runs of 64-bit words: u16 words that are the same, u16 words that are
 * not, those words; again to the end. The idea is that of QEMU's XBZRLE (docs/xbzrle.txt); the encoding is our own.
 */
const PAGE_WORDS: u32 = 512;
const RUN_HEAD_BYTES: u32 = 4;

/** Writes the change from `before` to `after` to `out`; returns its bytes, or -1 if they would be more than `most`. */
export function encodeDelta(before: usize, after: usize, out: usize, most: u32): i32 {
  let length: u32 = 0;
  let word: u32 = 0;
  while (true) {
    const sameFrom = word;
    while (word < PAGE_WORDS && load<u64>(before + (word << 3)) === load<u64>(after + (word << 3))) word++;
    if (word === PAGE_WORDS) return length as i32;
    const from = word;
    while (word < PAGE_WORDS && load<u64>(before + (word << 3)) !== load<u64>(after + (word << 3))) word++;
    const bytes = (word - from) << 3;
    if (length + RUN_HEAD_BYTES + bytes > most) return -1;
    store<u16>(out + length, (from - sameFrom) as u16);
    store<u16>(out + length, (word - from) as u16, 2);
    memory.copy(out + length + RUN_HEAD_BYTES, after + (from << 3), bytes);
    length += RUN_HEAD_BYTES + bytes;
  }
}

/** Changes the page at `page` as `bytes` at `delta` say. 0 if they are no delta of a page: then it is in no known state. */
export function applyDelta(delta: usize, bytes: u32, page: usize): u32 {
  let at: u32 = 0;
  let word: u32 = 0;
  while (at < bytes) {
    if (bytes - at < RUN_HEAD_BYTES) return 0;
    word += load<u16>(delta + at) as u32;
    const count = load<u16>(delta + at, 2) as u32;
    at += RUN_HEAD_BYTES;
    if (count === 0 || word + count > PAGE_WORDS || bytes - at < count << 3) return 0;
    memory.copy(page + (word << 3), delta + at, count << 3);
    at += count << 3;
    word += count;
  }
  return 1;
}
