/** Whether a guest does the work that its cell is named for: a slow guest is easy to migrate. */
import type { Dirtier } from './cells.ts';

/** Of the nominal rate; with less a run does not count. */
const shareMin = 0.9;
const reportPattern = /dirtier: \d+ (\d+)\r?\n/g;

/** Pages a second, by the dirtier's own reports, one a second. */
export function reportedRates(console: string): number[] {
  return [...console.matchAll(reportPattern)].map((match) => Number(match[1]));
}

/** Null when it is held; else why the run does not count. */
export function rateShortfall(console: string, { pagesPerS }: Dirtier): string | null {
  const achieved = reportedRates(console).at(-1);
  if (achieved === undefined) return 'the dirtier reported no rate';
  if (achieved >= shareMin * pagesPerS) return null;
  return `the dirtier wrote ${achieved} pages/s, less than ${shareMin} of ${pagesPerS}`;
}
