/** Hashes of a machine's pages where they stand. It does not run meanwhile. */
import { isTouched, liveAddress, pageHash } from './live';

/** Their sum modulo 2^64 over `count` pages from `first` on; what was never written is not read. */
export function sumLiveHashes(first: u32, count: u32): u64 {
  let sum: u64 = 0;
  for (let page = first; page < first + count; page++) {
    if (isTouched(page)) sum += pageHash(liveAddress(page), page);
  }
  return sum;
}
