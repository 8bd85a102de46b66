/** What workloads that tell their time print on guests' consoles. Pure. */

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

/** The first place where a counter does not follow its predecessor, as a sentence; null when it never skips. */
export function brokenCount(ticks: readonly Pick<Reading, 'sequence'>[]): string | null {
  for (let index = 1; index < ticks.length; index++) {
    const before = ticks[index - 1]?.sequence ?? 0;
    const after = ticks[index]?.sequence ?? 0;
    if (after !== before + 1) return `after ${before} came ${after}`;
  }
  return null;
}
