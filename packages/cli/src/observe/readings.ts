/** What workloads that tell their time print on guests' consoles, and the figures that follow from it. Pure. */
import type { ObservedGap } from '@skein/shared';

/** One of a series that its maker numbers one by one. */
export interface Reading {
  readonly sequence: number;
  /** The maker's CLOCK_MONOTONIC. */
  readonly guestNs: bigint;
}

export interface EchoReply extends Reading {
  readonly roundTripUs: number;
}

/** The ticker's `t <counter> <CLOCK_MONOTONIC ns>`; null for any other line. */
export function parseTick(line: string): Reading | null {
  const match = /^t (\d{1,15}) (\d{1,18})$/.exec(line);
  if (match === null) return null;
  return { sequence: Number(match[1]), guestNs: BigInt(match[2] ?? 0) };
}

/** The pinger's `p <sequence> <round trip us> <CLOCK_MONOTONIC ns>`, one for each reply; null for any other line. */
export function parseEchoReply(line: string): EchoReply | null {
  const match = /^p (\d{1,15}) (\d{1,15}) (\d{1,18})$/.exec(line);
  if (match === null) return null;
  return { sequence: Number(match[1]), roundTripUs: Number(match[2]), guestNs: BigInt(match[3] ?? 0) };
}

/** The longest time between two successive readings; 0 for fewer than two. */
export function longestGapMs(readings: readonly Pick<Reading, 'guestNs'>[]): number {
  let longestNs = 0n;
  for (let index = 1; index < readings.length; index++) {
    const gapNs = (readings[index]?.guestNs ?? 0n) - (readings[index - 1]?.guestNs ?? 0n);
    if (gapNs > longestNs) longestNs = gapNs;
  }
  return Number(longestNs) / 1e6;
}

/** Those between the lowest and the highest number that are missing. */
export function lostReadings(readings: readonly Pick<Reading, 'sequence'>[]): number {
  if (readings.length === 0) return 0;
  const sequences = new Set(readings.map(({ sequence }) => sequence));
  let [lowest, highest] = [Number.POSITIVE_INFINITY, 0];
  for (const sequence of sequences) {
    lowest = Math.min(lowest, sequence);
    highest = Math.max(highest, sequence);
  }
  return highest - lowest + 1 - sequences.size;
}

/** The first place where a counter does not follow its predecessor, as a sentence; null when it never skips. */
export function brokenCount(ticks: readonly Pick<Reading, 'sequence'>[]): string | null {
  for (let index = 1; index < ticks.length; index++) {
    const before = ticks[index - 1]?.sequence ?? 0;
    const after = ticks[index]?.sequence ?? 0;
    if (after !== before + 1) return `after ${before} came ${after}`;
  }
  return null;
}

/** How long the readings are apart, from the first to the last; 0 for fewer than two. */
export function spanMs(readings: readonly Pick<Reading, 'guestNs'>[]): number {
  const [first, last] = [readings[0], readings.at(-1)];
  return first === undefined || last === undefined ? 0 : Number(last.guestNs - first.guestNs) / 1e6;
}

/**
 * The gap from the reading `first` to the last one, in readings in the order in which they came; those before `first` are the
 * control, as many as were made in as long a time. Null where nothing came after `first`.
 */
export function observedGap(readings: readonly Reading[], first: number): ObservedGap | null {
  const during = readings.slice(first);
  const [start, end] = [during[0], during.at(-1)];
  if (start === undefined || end === undefined || during.length < 2) return null;
  const controlStartNs = start.guestNs - (end.guestNs - start.guestNs);
  const control = readings.slice(0, first + 1).filter(({ guestNs }) => guestNs >= controlStartNs);
  return {
    gapMs: longestGapMs(during),
    controlGapMs: control.length < 2 ? null : longestGapMs(control),
    readings: during.length,
    lost: lostReadings(during),
  };
}
