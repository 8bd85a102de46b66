/**
 * The right to run and to let output leave, as time: a VM may act while `now` is before its lease's deadline on
 * this host's monotonic clock (safety: rules 1, 2 and 4). A deadline counts from the *send* time of the renewal.
 */

export interface LeaseTiming {
  readonly ttlMs: number;
  /** Bound on how much faster one clock may run than another, e.g. 0.01. */
  readonly driftRatio: number;
  readonly marginMs: number;
}

/** Until when a lease granted for `ttlMs` may be used by its holder that asked for it at `sentNs`. */
export function leaseDeadlineNs(sentNs: bigint, timing: LeaseTiming): bigint {
  const usableMs = timing.ttlMs * (1 - timing.driftRatio) - timing.marginMs;
  return sentNs + BigInt(Math.max(0, Math.floor(usableMs * 1e6)));
}

/** 0 is "no lease": never allowed. */
export function isAllowed(deadlineNs: bigint, nowNs: bigint): boolean {
  return nowNs < deadlineNs;
}
