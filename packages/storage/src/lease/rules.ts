/**
 * The rules of VM leases as a pure function: (lease, request, now) -> new lease or refusal. The storage decides who
 * may run a VM, and this is where it decides. Numbered rules stand in SPEC.md beside this file.
 */
import type { BootId, Epoch, ErrorCode, HostName, VmId } from '@skein/shared';

/** What the service knows of a VM's lease. Epochs only grow, also after a release. */
export interface Lease {
  readonly vm: VmId;
  readonly owner: HostName | null;
  /** The owner's process. Null: a lease was passed to the owner, which has not spoken yet. */
  readonly boot: BootId | null;
  readonly epoch: Epoch;
  readonly counter: number;
  /** On the service's monotonic clock. */
  readonly untilNs: bigint;
}

/** Who asks: a host, and which of its processes; two agents may have one name by mistake. */
export interface Holder {
  readonly host: HostName;
  readonly boot: BootId;
}

export type LeaseRequest =
  | { readonly type: 'acquire'; readonly vm: VmId; readonly by: Holder; readonly expectEpoch: Epoch }
  | { readonly type: 'renew'; readonly vm: VmId; readonly by: Holder; readonly epoch: Epoch }
  | {
      readonly type: 'pass';
      readonly vm: VmId;
      readonly by: Holder;
      readonly epoch: Epoch;
      readonly target: HostName;
    }
  | { readonly type: 'release'; readonly vm: VmId; readonly by: Holder; readonly epoch: Epoch }
  | { readonly type: 'fence'; readonly vm: VmId; readonly epoch: Epoch; readonly coordinatorEpoch: Epoch };

export interface Granted {
  readonly kind: 'granted';
  readonly lease: Lease;
  /** False for what a restart may forget: plain renewals, for a restarted service holds every lease anew. */
  readonly mustPersist: boolean;
}

export interface Refused {
  readonly kind: 'refused';
  readonly code: Extract<
    ErrorCode,
    | 'lease.held'
    | 'lease.not-found'
    | 'lease.stale-epoch'
    | 'lease.not-owner'
    | 'lease.lost'
    | 'epoch.stale'
    | 'request.invalid'
  >;
  readonly reason: string;
}

export interface Present {
  readonly nowNs: bigint;
  readonly ttlMs: number;
  /** Of the coordinator that claimed last; 0 before the first. */
  readonly coordinatorEpoch: Epoch;
}

export function decideLease(
  lease: Lease | undefined,
  request: LeaseRequest,
  present: Present,
): Granted | Refused {
  const { vm } = request;
  if (request.type === 'acquire') return acquire(lease, request, present);
  if (lease === undefined) return refuse('lease.not-found', `${vm} has no lease`);
  if (lease.epoch !== request.epoch) {
    const state = `${vm} is at epoch ${lease.epoch} (${lease.owner ?? 'free'})`;
    return refuse('lease.stale-epoch', `${state}, not ${request.epoch}`);
  }
  if (request.type === 'fence') return fence(lease, request.coordinatorEpoch, present);
  if (!isHolder(lease, request.by)) {
    return refuse(
      'lease.not-owner',
      `${vm} is leased to ${lease.owner ?? 'nobody'}, not to this ${named(request.by)}`,
    );
  }
  switch (request.type) {
    case 'renew':
      return {
        kind: 'granted',
        lease: { ...lease, boot: request.by.boot, counter: lease.counter + 1, untilNs: endOf(present) },
        mustPersist: lease.boot === null,
      };
    case 'release':
      return {
        kind: 'granted',
        lease: { ...lease, owner: null, boot: null, untilNs: present.nowNs },
        mustPersist: true,
      };
    case 'pass':
      return pass(lease, request.target, present);
  }
}

export function isHeld(lease: Lease, nowNs: bigint): boolean {
  return lease.owner !== null && nowNs < lease.untilNs;
}

function acquire(
  lease: Lease | undefined,
  request: Extract<LeaseRequest, { type: 'acquire' }>,
  present: Present,
): Granted | Refused {
  const { vm, by, expectEpoch } = request;
  const epoch = lease?.epoch ?? 0;
  if (expectEpoch !== epoch)
    return refuse('lease.stale-epoch', `${vm} is at epoch ${epoch}, not ${expectEpoch}`);
  // The owner itself may raise the epoch: whatever of the old one is still on its way is stale from then on. While it is
  // not known which process of its host a lease was passed to, none of them may.
  const isOwn = lease?.owner === by.host && lease.boot === by.boot;
  if (lease !== undefined && isHeld(lease, present.nowNs) && !isOwn) {
    const leftMs = (lease.untilNs - present.nowNs) / 1_000_000n;
    return refuse('lease.held', `${vm} is leased to ${holderText(lease, by)} for another ${leftMs} ms`);
  }
  return {
    kind: 'granted',
    lease: { vm, owner: by.host, boot: by.boot, epoch: epoch + 1, counter: 0, untilNs: endOf(present) },
    mustPersist: true,
  };
}

function pass(lease: Lease, target: HostName, present: Present): Granted | Refused {
  const { vm, epoch, owner } = lease;
  if (target === owner) return refuse('request.invalid', `${vm}: ${target} cannot pass a lease to itself`);
  // Others who read it may have concluded that nobody holds it.
  if (!isHeld(lease, present.nowNs)) return refuse('lease.lost', `${vm}: an expired lease cannot be passed`);
  return {
    kind: 'granted',
    lease: { vm, owner: target, boot: null, epoch: epoch + 1, counter: 0, untilNs: endOf(present) },
    mustPersist: true,
  };
}

function fence(lease: Lease, coordinatorEpoch: Epoch, present: Present): Granted | Refused {
  if (coordinatorEpoch !== present.coordinatorEpoch) {
    const reason = `coordinator epoch ${present.coordinatorEpoch} is in office, not ${coordinatorEpoch}`;
    return refuse('epoch.stale', reason);
  }
  return {
    kind: 'granted',
    lease: { ...lease, owner: null, boot: null, epoch: lease.epoch + 1, counter: 0, untilNs: present.nowNs },
    mustPersist: true,
  };
}

/** Who names the epoch of a lease that was passed is the one it was passed to. */
function isHolder(lease: Lease, by: Holder): boolean {
  return lease.owner === by.host && (lease.boot === null || lease.boot === by.boot);
}

function endOf({ nowNs, ttlMs }: Present): bigint {
  return nowNs + BigInt(ttlMs) * 1_000_000n;
}

function holderText(lease: Lease, asking: Holder): string {
  return lease.owner === asking.host ? `another process of ${asking.host}` : (lease.owner ?? 'nobody');
}

function named({ host, boot }: Holder): string {
  return `${host} (boot ${boot.slice(0, 8)})`;
}

function refuse(code: Refused['code'], reason: string): Refused {
  return { kind: 'refused', code, reason };
}
