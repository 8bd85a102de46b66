/** What an observer saw of a migration, for people. */
import type { ObservedClock, ObservedGap } from '@skein/shared';
import { formatDuration } from './duration.ts';
import { formatMs } from './figures.ts';

const readingsOf: Readonly<Record<ObservedClock, string>> = { guest: 'ticks', network: 'answers to pings' };

/** With what the same clock was like before, and what is missing. */
export function gapSentence(clock: ObservedClock, gap: ObservedGap): string {
  const { readings, lost, windowMs, controlGapMs, controlWindowMs } = gap;
  const heard = `${readings} ${readingsOf[clock]} in ${formatDuration(windowMs)}, ${lost} lost`;
  const before =
    controlGapMs === null
      ? ''
      : `; without a migration ${formatMs(controlGapMs)}, in the ${formatDuration(controlWindowMs)} before`;
  return gap.hasEnded
    ? `${formatMs(gap.gapMs)} at most between two of ${heard}${before}`
    : `${formatGap(gap)}, after ${heard}${before}`;
}

export function formatGap({ gapMs, hasEnded }: Pick<ObservedGap, 'gapMs' | 'hasEnded'>): string {
  return hasEnded ? formatMs(gapMs) : `${formatMs(gapMs)} and more (not heard again)`;
}
