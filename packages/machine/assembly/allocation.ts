/**
 * The host gives memory to a page when it is written first, and has whoever writes it wait. For pages that are about to be brought to a
 * machine that does not run yet, this thread waits instead of the one that brings them.
 */
import { RAM, TOUCHED } from './layout';

/**
 * Of the 32 pages of RAM from `first` on, a multiple of 32: those whose bit is set and that were never written are given their memory.
 * Changes nothing, beside whoever writes them as well. Returns how many were given it.
 */
export function allocatePages(first: u32, pages: u32): u32 {
  let bits = pages & ~load<u32>(TOUCHED + (first >> 3));
  const allocated = popcnt<u32>(bits);
  while (bits !== 0) {
    const page = first + ctz<u32>(bits);
    // Atomic, for somebody may be writing there. Where a page is read first its host maps the page of zeros, and then takes that away
    // again on all of the process's processors: on x64 this is one instruction that writes; V8 makes a read and such an instruction of atomic.add.
    atomic.cmpxchg<i32>(RAM + (page << 12), 0, 0);
    bits &= bits - 1;
  }
  return allocated;
}
