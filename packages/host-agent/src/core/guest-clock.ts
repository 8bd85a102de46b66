/**
 * Guest time against the host's monotonic clock. The board's time base ticks at 10 MHz: 100 ns a tick.
 * Guest time never runs backwards (safety: invariant 8): a later, smaller value is clamped up by the machine.
 */

export const nsPerTick = 100n;

/** At `hostNs` of this host's monotonic clock the guest's time was `guestTicks`. */
export interface GuestClock {
  readonly guestTicks: bigint;
  readonly hostNs: bigint;
}

export function guestTicksAt(clock: GuestClock, hostNs: bigint): bigint {
  const elapsedNs = hostNs > clock.hostNs ? hostNs - clock.hostNs : 0n;
  return clock.guestTicks + elapsedNs / nsPerTick;
}

/** The host's time at which the guest's clock reaches `guestTicks`; rounded up, so that it is then due. */
export function hostNsAt(clock: GuestClock, guestTicks: bigint): bigint {
  return clock.hostNs + (guestTicks - clock.guestTicks) * nsPerTick;
}

export interface SuspensionTime {
  readonly guestTicks: bigint;
  /** Monotonic time of the source at the suspension. */
  readonly sourceNs: bigint;
}

/**
 * The guest's clock on the target: `G + max(0, now - S - offset)` (architecture: Live migration), where `offset`
 * is the target's monotonic clock minus the source's.
 */
export function resumedClock(suspension: SuspensionTime, nowNs: bigint, offsetNs: bigint): GuestClock {
  const elapsedNs = nowNs - suspension.sourceNs - offsetNs;
  const ticks = elapsedNs > 0n ? elapsedNs / nsPerTick : 0n;
  return { guestTicks: suspension.guestTicks + ticks, hostNs: nowNs };
}
