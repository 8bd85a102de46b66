/** Bitmaps of pages, one bit each, as the dirty log hands them out. */
import { countPages } from '@skein/machine';

/** Adds the pages of `more` to `into`. */
export function addPages(into: Uint32Array, more: Uint32Array): void {
  for (const [index, word] of more.entries()) into[index] = (into[index] ?? 0) | word;
}

/** Takes the pages of `less` out of `from`; returns how many there were. */
export function removePages(from: Uint32Array, less: Uint32Array): number {
  const removed = from.map((word, index) => word & (less[index] ?? 0));
  for (const [index, word] of removed.entries()) from[index] = (from[index] ?? 0) & ~word;
  return countPages(removed);
}

/** As it travels: words of 32 bits, little endian. */
export function bitmapBytes(bitmap: Uint32Array): Uint8Array {
  const bytes = new Uint8Array(bitmap.length * 4);
  const view = new DataView(bytes.buffer);
  for (const [index, word] of bitmap.entries()) view.setUint32(index * 4, word, true);
  return bytes;
}

/** Null unless it is the bitmap of a guest of so many pages. */
export function bitmapOf(bytes: Uint8Array, pages: number): Uint32Array | null {
  if (bytes.length * 8 !== pages) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Uint32Array.from({ length: pages / 32 }, (_, index) => view.getUint32(index * 4, true));
}
