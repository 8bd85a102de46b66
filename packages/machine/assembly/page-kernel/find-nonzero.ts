/** Which pages of live RAM are not zero, ahead of their being sent. The vCPU may run meanwhile: a guess, and soon an old one. */
import { PAGE_BYTES } from './batch-layout';
import { isFree, liveAddress, load as loadLive, toOwn } from './live';
import { pageIsZero } from './page-hash';

/** In so many places of a page it is looked first: most pages that are not zero have something in one of them. */
const LOOKS: u32 = 4;

/**
 * Of the pages in `words` words of a bitmap, of which the first bit is page `first`: those that the guest needs and that are not zero.
 * `found` gets a bit for each; `scratch` is a page's room. Returns how many they are.
 */
export function findNonzero(bitmap: usize, words: u32, first: u32, found: usize, scratch: usize): u32 {
  let count: u32 = 0;
  for (let word: u32 = 0; word < words; word++) {
    let bits = load<u32>(bitmap + (word << 2));
    let kept: u32 = 0;
    while (bits !== 0) {
      const page = first + (word << 5) + ctz<u32>(bits);
      if (!isFree(page) && isNonzero(page, scratch)) {
        kept |= bits & -bits;
        count++;
      }
      bits &= bits - 1;
    }
    store<u32>(found + (word << 2), kept);
  }
  return count;
}

function isNonzero(page: u32, scratch: usize): bool {
  const live = liveAddress(page);
  for (let look: u32 = 0; look < LOOKS; look++) {
    if (loadLive(live + look * ((PAGE_BYTES as u32) / LOOKS)) !== 0) return true;
  }
  toOwn(scratch, live, PAGE_BYTES);
  return pageIsZero(scratch) === 0;
}
