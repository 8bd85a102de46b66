/**
 * Pages of RAM that have not arrived yet, after a migration that sends them later. Before anything touches a page for the
 * first time it is asked for, and the import returns when it is there: the hart stands still within the instruction,
 * before any side effect on that page, and takes no step meanwhile.
 * Deviation from the design (Missing pages), which re-executes the instruction: one place instead of one for each kind of
 * access; who wants to end a VM that waits ends its thread.
 */
import { PAGES_MISSING, PRESENT } from './layout';

/** Returns when the page is there. */
declare function awaitPage(page: u32): void;

/** The pages of `size` bytes at an offset in RAM. */
export function requirePages(offset: u32, size: u32): void {
  if (atomic.load<u32>(PAGES_MISSING) === 0 || size === 0) return;
  const last = (offset + size - 1) >> 12;
  for (let page = offset >> 12; page <= last; page++) if (!isPresent(page)) awaitPage(page);
}

/** Only to be asked while pages are missing. */
export function isPresent(page: u32): bool {
  return ((atomic.load<u32>(PRESENT + ((page >> 5) << 2)) >> (page & 31)) & 1) !== 0;
}
