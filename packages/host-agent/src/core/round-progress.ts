/** How far a round of copying is, from what was sent and what of it the target has applied. */
import type { RoundProgress } from '@skein/shared';

export interface RoundCounts {
  readonly round: number;
  readonly pages: number;
  readonly pagesTotal: number;
  /** On the wire, all that was sent in this round. */
  readonly bytes: number;
  /** Of them, and of earlier ones, those that the target has not applied yet. */
  readonly onTheWayBytes: number;
  readonly elapsedMs: number;
}

/**
 * The pace is that of applied bytes: what stands in sockets was sent in no time, and is no news of the network. What is
 * left is taken to be as large, page for page, as what was sent so far.
 */
export function roundProgress(counts: RoundCounts): RoundProgress {
  const { round, pages, pagesTotal, bytes, onTheWayBytes, elapsedMs } = counts;
  const appliedBytes = Math.max(0, bytes - onTheWayBytes);
  const bytesPerMs = appliedBytes / Math.max(1, elapsedMs);
  const leftBytes = pages === 0 ? 0 : (pagesTotal - pages) * (bytes / pages) + onTheWayBytes;
  const remainingMs = pages > 0 && bytesPerMs > 0 ? leftBytes / bytesPerMs : null;
  return { round, pages, pagesTotal, bytes, bandwidthBytesPerS: bytesPerMs * 1000, remainingMs };
}
