/** How many pages are dirty after a stretch of a trace: its rates, slowed as the vCPU is, up to the working set. */
import type { Trace } from './trace.ts';

/** Before the first rate the first one counts; the last one goes on for ever. */
export function dirtiedPages(
  { dirtyRates, workingSetPages }: Pick<Trace, 'dirtyRates' | 'workingSetPages'>,
  startMs: number,
  durationMs: number,
  throttlePercent: number,
): number {
  const endMs = startMs + durationMs;
  let pages = 0;
  for (const [index, { fromMs, pagesPerS }] of dirtyRates.entries()) {
    const beginMs = Math.max(startMs, index === 0 ? Number.NEGATIVE_INFINITY : fromMs);
    const untilMs = Math.min(endMs, dirtyRates[index + 1]?.fromMs ?? Number.POSITIVE_INFINITY);
    if (untilMs > beginMs) pages += (pagesPerS * (untilMs - beginMs)) / 1000;
  }
  return Math.min(workingSetPages, Math.round(pages * (1 - throttlePercent / 100)));
}
