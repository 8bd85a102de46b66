/** What the workloads print on guests' consoles, and the figures that follow from it. Pure. */

/** `t <counter> <CLOCK_MONOTONIC ns>`, printed by the ticker. */
export interface Tick {
  readonly counter: number;
  readonly guestNs: bigint;
}

/** `p <sequence> <round trip us> <CLOCK_MONOTONIC ns>`, printed by the pinger for each reply. */
export interface EchoReply {
  readonly sequence: number;
  readonly roundTripUs: number;
  readonly guestNs: bigint;
}

export function parseTick(line: string): Tick | null {
  const match = /^t (\d{1,15}) (\d{1,18})$/.exec(line);
  if (match === null) return null;
  return { counter: Number(match[1]), guestNs: BigInt(match[2] ?? 0) };
}

export function parseEchoReply(line: string): EchoReply | null {
  const match = /^p (\d{1,15}) (\d{1,15}) (\d{1,18})$/.exec(line);
  if (match === null) return null;
  return { sequence: Number(match[1]), roundTripUs: Number(match[2]), guestNs: BigInt(match[3] ?? 0) };
}

/** Busybox's ping: `5 packets transmitted, 5 packets received, 0% packet loss`. */
export function parsePingSummary(text: string): { readonly sent: number; readonly received: number } | null {
  const match = /(\d+) packets transmitted, (\d+) packets received/.exec(text);
  return match === null ? null : { sent: Number(match[1]), received: Number(match[2]) };
}

/** The longest time between two successive readings; 0 for fewer than two. */
export function longestGapMs(readings: readonly { readonly guestNs: bigint }[]): number {
  let longestNs = 0n;
  for (let index = 1; index < readings.length; index++) {
    const gapNs = (readings[index]?.guestNs ?? 0n) - (readings[index - 1]?.guestNs ?? 0n);
    if (gapNs > longestNs) longestNs = gapNs;
  }
  return Number(longestNs) / 1e6;
}

/** Requests between the first and the last answered one that nobody answered. */
export function lostPings(replies: readonly EchoReply[]): number {
  if (replies.length === 0) return 0;
  const sequences = new Set(replies.map(({ sequence }) => sequence));
  return Math.max(...sequences) - Math.min(...sequences) + 1 - sequences.size;
}

/** The first place where a counter does not follow its predecessor, as a sentence; null when it never skips. */
export function brokenCount(ticks: readonly Tick[]): string | null {
  for (let index = 1; index < ticks.length; index++) {
    const before = ticks[index - 1]?.counter ?? 0;
    const after = ticks[index]?.counter ?? 0;
    if (after !== before + 1) return `after ${before} came ${after}`;
  }
  return null;
}
