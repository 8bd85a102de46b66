/** The hash of a machine's RAM: the sum of its pages' hashes, each keyed by its page's number, so that pages can be hashed in any order. */
import { pageHash } from './page-kernel/page-hash';

/** Modulo 2^64, over `count` pages from `first` on. What was never written, by the bitmap at `touched`, counts for nothing and is not read. */
export function sumPageHashes(ram: usize, touched: usize, first: u32, count: u32): u64 {
  let sum: u64 = 0;
  for (let page = first; page < first + count; page++) {
    const word = load<u32>(touched + (((page >> 5) as usize) << 2));
    if (((word >> (page & 31)) & 1) !== 0) sum += pageHash(ram + ((page as usize) << 12), page);
  }
  return sum;
}
