/**
 * The right to run and to let output leave, as time: a VM may act while `now` is before its lease's deadline on
 * this host's monotonic clock (safety: rules 1, 2 and 4). Deadlines are made by `grantDeadlineNs`.
 */

/** 0 is "no lease": never allowed. */
export function isAllowed(deadlineNs: bigint, nowNs: bigint): boolean {
  return nowNs < deadlineNs;
}
