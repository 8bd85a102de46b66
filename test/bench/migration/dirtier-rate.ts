/** Whether a guest does the work that its cell is named for: a slow guest is easy to migrate. */
import type { Dirtier } from './cells.ts';

/** Of the nominal rate; with less a run does not count. */
const shareMin = 0.9;
/** With more it makes up for what it missed, and dirties more than its cell says. */
const steadyShareMax = 1.1;
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

/** Whether the last report is neither of one that touches its memory for the first time, nor of one that makes up for that. */
export function isSteady(console: string, { pagesPerS }: Dirtier): boolean {
  const achieved = reportedRates(console).at(-1) ?? 0;
  return achieved >= shareMin * pagesPerS && achieved <= steadyShareMax * pagesPerS;
}
