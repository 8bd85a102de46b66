/**
 * The rules of VM leases as a pure function: (lease, request, now) -> new lease or refusal. The storage decides who
 * may run a VM, and this is where it decides. Numbered rules stand in SPEC.md beside this file.
 */
import type { Epoch, ErrorCode, HostName, VmId } from '@skein/shared';

/** What the service knows of a VM's lease. Epochs only grow, also after a release. */
export interface Lease {
  readonly vm: VmId;
  readonly owner: HostName | null;
  readonly epoch: Epoch;
  readonly counter: number;
  /** On the service's monotonic clock. */
  readonly untilNs: bigint;
}

export type LeaseRequest =
  | { readonly type: 'acquire'; readonly vm: VmId; readonly by: HostName; readonly expectEpoch: Epoch }
  | { readonly type: 'renew'; readonly vm: VmId; readonly by: HostName; readonly epoch: Epoch }
  | {
      readonly type: 'pass';
      readonly vm: VmId;
      readonly by: HostName;
      readonly epoch: Epoch;
      readonly target: HostName;
    }
  | { readonly type: 'release'; readonly vm: VmId; readonly by: HostName; readonly epoch: Epoch };

export interface Granted {
  readonly kind: 'granted';
  readonly lease: Lease;
  /** False for what a restart may forget: renewals, for a restarted service holds every lease anew. */
  readonly mustPersist: boolean;
}

export interface Refused {
  readonly kind: 'refused';
  readonly code: Extract<
    ErrorCode,
    'lease.held' | 'lease.not-found' | 'lease.stale-epoch' | 'lease.not-owner' | 'lease.lost'
  >;
  readonly reason: string;
}

export function decideLease(
  lease: Lease | undefined,
  request: LeaseRequest,
  nowNs: bigint,
  ttlMs: number,
): Granted | Refused {
  const untilNs = nowNs + BigInt(ttlMs) * 1_000_000n;
  if (request.type === 'acquire') return acquire(lease, request, nowNs, untilNs);
  if (lease === undefined) return refuse('lease.not-found', `${request.vm} has no lease`);
  if (lease.epoch !== request.epoch) {
    return refuse(
      'lease.stale-epoch',
      `${request.vm} is at epoch ${lease.epoch} (${lease.owner ?? 'free'}), not ${request.epoch}`,
    );
  }
  if (lease.owner !== request.by) {
    return refuse(
      'lease.not-owner',
      `${request.vm} is leased to ${lease.owner ?? 'nobody'}, not to ${request.by}`,
    );
  }
  switch (request.type) {
    case 'renew':
      return {
        kind: 'granted',
        lease: { ...lease, counter: lease.counter + 1, untilNs },
        mustPersist: false,
      };
    case 'release':
      return { kind: 'granted', lease: { ...lease, owner: null, untilNs: nowNs }, mustPersist: true };
    case 'pass':
      // Others who read it may have concluded that nobody holds it.
      if (!isHeld(lease, nowNs))
        return refuse('lease.lost', `${request.vm}: an expired lease cannot be passed`);
      return {
        kind: 'granted',
        lease: { vm: lease.vm, owner: request.target, epoch: lease.epoch + 1, counter: 0, untilNs },
        mustPersist: true,
      };
  }
}

export function isHeld(lease: Lease, nowNs: bigint): boolean {
  return lease.owner !== null && nowNs < lease.untilNs;
}

function acquire(
  lease: Lease | undefined,
  request: Extract<LeaseRequest, { type: 'acquire' }>,
  nowNs: bigint,
  untilNs: bigint,
): Granted | Refused {
  const epoch = lease?.epoch ?? 0;
  if (request.expectEpoch !== epoch) {
    return refuse('lease.stale-epoch', `${request.vm} is at epoch ${epoch}, not ${request.expectEpoch}`);
  }
  // The owner itself may raise the epoch: whatever of the old one is still on its way is stale from then on.
  if (lease !== undefined && isHeld(lease, nowNs) && lease.owner !== request.by) {
    return refuse(
      'lease.held',
      `${request.vm} is leased to ${lease.owner} for another ${(lease.untilNs - nowNs) / 1_000_000n} ms`,
    );
  }
  return {
    kind: 'granted',
    lease: { vm: request.vm, owner: request.by, epoch: epoch + 1, counter: 0, untilNs },
    mustPersist: true,
  };
}

function refuse(code: Refused['code'], reason: string): Refused {
  return { kind: 'refused', code, reason };
}
