/**
 * Is a host alive? From heartbeats, closed sockets and the leases of its VMs at the storage service. A host counts as
 * failed only when its host lease is over on our clock and the storage confirms that none of its VMs is held any more
 * (design: safety, Two leases, rules 1, 3 and 6). Being wrong here costs time, never a second copy: that is the lease's
 * work. Rules: SPEC.md, [HA-n].
 */
import { type HostName, type HostState, recoveryMs, type Timing } from '@skein/shared';
import type { LeaseSight } from './inventory.ts';

/** What the storage says of the VMs of a host. */
export type LeaseEvidence =
  /** It has no VMs. */
  | 'none'
  /** Some lease was renewed while the host was silent here. */
  | 'renewed'
  /** Some lease still runs. */
  | 'held'
  | 'over'
  /** The storage service could not be asked. */
  | 'unknown';

export interface HostEvidence {
  readonly name: HostName;
  /** Its agent is registered and the link is open. */
  readonly isLinked: boolean;
  /** Our last acknowledgement that granted the host lease, or its registration; later than the agent's own count. */
  readonly grantedAtMs: number;
  readonly leases: LeaseEvidence;
}

export interface HostVerdict {
  readonly state: HostState;
  readonly reason: string | null;
}

export type HostTiming = Pick<
  Timing,
  'hostLeaseTtlMs' | 'vmLeaseTtlMs' | 'echoAgeMsMax' | 'driftRatio' | 'marginMs'
>;

/** When more than half of the hosts go silent within this time, the fault is probably here (safety: rule 6). */
export const selfSuspicionMs = 5000;

/**
 * `watchSinceMs`: since when this coordinator has been listening without a gap. Nothing is held against a host for
 * the time before.
 */
export function judgeHosts(
  evidence: readonly HostEvidence[],
  nowMs: number,
  watchSinceMs: number,
  timing: HostTiming,
): Map<HostName, HostVerdict> {
  const verdicts = new Map<HostName, HostVerdict>();
  for (const host of evidence) {
    const isAlone = !vanishedWithMost(host, evidence, nowMs, watchSinceMs, timing);
    verdicts.set(host.name, judgeHost(host, nowMs, watchSinceMs, timing, isAlone));
  }
  return verdicts;
}

function judgeHost(
  host: HostEvidence,
  nowMs: number,
  watchSinceMs: number,
  timing: HostTiming,
  isAlone: boolean,
): HostVerdict {
  const countsFromMs = Math.max(host.grantedAtMs, watchSinceMs);
  const silentMs = Math.max(0, Math.round(nowMs - countsFromMs));
  if (host.isLinked && silentMs <= timing.echoAgeMsMax) return { state: 'connected', reason: null };
  const silence = host.isLinked ? `no heartbeat for ${silentMs} ms` : `not connected for ${silentMs} ms`;
  if (nowMs < hostLeaseOverMs(host, watchSinceMs, timing)) return { state: 'suspect', reason: silence };
  switch (host.leases) {
    case 'renewed':
      return {
        state: 'isolated',
        reason: `${silence}, but its VM leases are renewed: its guests run on`,
      };
    case 'held':
      return { state: 'suspect', reason: `${silence}; a lease of its VMs is not over yet` };
    case 'unknown':
      return { state: 'suspect', reason: `${silence}; the storage service cannot be asked for its leases` };
    case 'over':
      return { state: 'failed', reason: `${silence}; its host lease and its VM leases are over` };
    case 'none':
      return isAlone
        ? { state: 'failed', reason: `${silence}; its host lease is over and it had no VMs` }
        : {
            state: 'suspect',
            reason: `${silence}; more than half of the hosts went silent at once, the fault may be on this side`,
          };
  }
}

/** On our clock, which began to count after the agent's: safe for any drift within bounds. */
export function hostLeaseOverMs(
  host: Pick<HostEvidence, 'grantedAtMs'>,
  watchSinceMs: number,
  timing: HostTiming,
): number {
  return Math.max(host.grantedAtMs, watchSinceMs) + recoveryMs(timing.hostLeaseTtlMs, timing);
}

function vanishedWithMost(
  host: HostEvidence,
  all: readonly HostEvidence[],
  nowMs: number,
  watchSinceMs: number,
  timing: HostTiming,
): boolean {
  const silentSinceMs = (other: HostEvidence): number => Math.max(other.grantedAtMs, watchSinceMs);
  if (nowMs > hostLeaseOverMs(host, watchSinceMs, timing) + selfSuspicionMs) return false;
  const vanished = all.filter(
    (other) =>
      (!other.isLinked || nowMs - silentSinceMs(other) > timing.echoAgeMsMax) &&
      Math.abs(silentSinceMs(other) - silentSinceMs(host)) <= selfSuspicionMs,
  );
  return vanished.length * 2 > all.length;
}

/**
 * What the leases say of a host that was last granted its host lease at `sinceMs`. `sights`: of every VM that was
 * decided or reported to be there; null where it was not read.
 */
export function leaseEvidence(
  host: HostName,
  sights: readonly (LeaseSight | null)[],
  sinceMs: number,
): LeaseEvidence {
  if (sights.length === 0) return 'none';
  let isHeld = false;
  let isUnknown = false;
  for (const sight of sights) {
    if (sight === null || sight.readAtMs < sinceMs) {
      isUnknown = true;
      continue;
    }
    if (sight.lease === null || sight.lease.owner !== host || sight.lease.remainingMs <= 0) continue;
    if (sight.grewAfterMs !== null && sight.grewAfterMs >= sinceMs) return 'renewed';
    isHeld = true;
  }
  if (isUnknown) return 'unknown';
  return isHeld ? 'held' : 'over';
}
