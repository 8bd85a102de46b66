/** Bitmaps of pages, one bit each, as the dirty log hands them out. */

export function countPages(bitmap: Uint32Array): number {
  let count = 0;
  for (const word of bitmap) {
    for (let rest = word; rest !== 0; rest &= rest - 1) count += 1;
  }
  return count;
}

/** Adds the pages of `more` to `into`. */
export function addPages(into: Uint32Array, more: Uint32Array): void {
  for (const [index, word] of more.entries()) into[index] = (into[index] ?? 0) | word;
}
