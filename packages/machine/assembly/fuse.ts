/**
 * Makes pairs of decoded entries (src/operations/pairs.ts says which). The first entry of a pair only changes its
 * operation: the second keeps its own entry, which the pair reads and which a jump to it finds as ever.
 */
import { FIRST_PAIR, lengthOf, pairOf } from './generated/operation-numbers';

/** Called when `entry` was decoded: makes pairs of it and the entries that come right before it in its page. */
export function fuseBackwards(entry: u32, offset: u32): void {
  const second = load<u8>(entry) as u32;
  if (offset >= 2) fuseAt(entry - 8, second, 2);
  if (offset >= 4) fuseAt(entry - 16, second, 4);
}

function fuseAt(entry: u32, second: u32, bytes: u32): void {
  const first = load<u8>(entry) as u32;
  if (first >= FIRST_PAIR || lengthOf(first) !== bytes) return;
  const pair = pairOf(first, second);
  if (pair !== 0) store<u8>(entry, pair);
}
