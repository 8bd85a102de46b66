/** Whether a guest does the work that its cell is named for: a slow guest is easy to migrate, and one that catches up is hard. */
import type { Dirtier } from './cells.ts';

/** Of the nominal rate; with less, or with more, a run does not count. */
const shareMin = 0.9;
const shareMax = 1.1;
const reportPattern = /dirtier: \d+ (\d+)\r?\n/g;

/** Pages a second, by the dirtier's own reports, one a second. */
export function reportedRates(console: string): number[] {
  return [...console.matchAll(reportPattern)].map((match) => Number(match[1]));
}

/**
 * Null when the rate is held; else why the run does not count, or not yet: a dirtier that touches its memory for the first time writes less,
 * and then makes up for it.
 */
export function rateFlaw(console: string, { pagesPerS }: Dirtier): string | null {
  const achieved = reportedRates(console).at(-1);
  if (achieved === undefined) return 'the dirtier reported no rate';
  const wrote = `the dirtier wrote ${achieved} pages/s`;
  if (achieved < shareMin * pagesPerS) return `${wrote}, less than ${shareMin} of ${pagesPerS}`;
  if (achieved > shareMax * pagesPerS) return `${wrote}, more than ${shareMax} of ${pagesPerS}`;
  return null;
}
