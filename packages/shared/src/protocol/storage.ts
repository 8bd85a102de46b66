/**
 * What agents and the coordinator say to the storage service. An agent's link carries its host's name, and a
 * request speaks for that host only: nobody acquires, renews or passes for another.
 * Omitted: a standby in the lease; it comes with fault tolerance.
 */
import { z } from 'zod';
import { Epoch, HostName, VmId } from '../ids.ts';
import type { ProtocolDefinition } from './definition.ts';

/** A lease as others see it. Times are relative: no clock is shared. */
export const LeaseView = z.strictObject({
  vm: VmId,
  /** Null: released, or fenced. */
  owner: HostName.nullable(),
  epoch: Epoch,
  /** Renewals since the grant or since the service's start: changes while the owner lives. */
  counter: z.int().min(0),
  /** Left of it on the service's clock; 0 when it is over. */
  remainingMs: z.number().min(0),
});
export type LeaseView = z.infer<typeof LeaseView>;

/** A grant counts from when the request for it was *sent* (safety: rule 1). */
export const LeaseGrant = z.strictObject({ epoch: Epoch, ttlMs: z.int().min(1) });
export type LeaseGrant = z.infer<typeof LeaseGrant>;

/** So that a page of the list stays far below a link's message limit. */
export const leasesPerPage = 1024;

const VmAndEpoch = z.strictObject({ vm: VmId, epoch: Epoch });

export const storageProtocol = {
  name: 'storage',
  // Agents for their own host; the coordinator to read, and to fence the dead.
  roles: { dialer: ['agent', 'transfer', 'coordinator'], listener: ['storage'] },
  fromDialer: {
    requests: {
      /** Compare-and-set on `expectEpoch` (0: no lease yet); the new epoch is one higher. */
      'lease.acquire': { request: z.strictObject({ vm: VmId, expectEpoch: Epoch }), reply: LeaseGrant },
      'lease.renew': { request: VmAndEpoch, reply: LeaseGrant },
      /** From the owner to another host, at once and for good: the commit of a migration. */
      'lease.pass': {
        request: z.strictObject({ vm: VmId, epoch: Epoch, target: HostName }),
        reply: LeaseGrant,
      },
      'lease.release': { request: VmAndEpoch, reply: z.strictObject({}) },
      /** Waits for what is being decided about this VM. */
      'lease.read': {
        request: z.strictObject({ vm: VmId }),
        reply: z.strictObject({ lease: LeaseView.nullable() }),
      },
      /** In the order of ids, from the first behind `after`; `next` is what to ask for then, null at the end. */
      'lease.list': {
        request: z.strictObject({ after: VmId.nullable().default(null) }),
        reply: z.strictObject({ leases: z.array(LeaseView).max(leasesPerPage), next: VmId.nullable() }),
      },
      /** A coordinator takes over from all before it: from now on only its epoch may fence. */
      'coordinator.claim': {
        request: z.strictObject({}),
        reply: z.strictObject({ coordinatorEpoch: Epoch }),
      },
      /**
       * Takes the lease from its owner before its time is over. For owners that are proven dead: one that still runs
       * goes on until its own deadline. The reply's epoch is the one that the next owner expects.
       */
      'lease.fence': {
        request: z.strictObject({ vm: VmId, epoch: Epoch, coordinatorEpoch: Epoch }),
        reply: z.strictObject({ epoch: Epoch }),
      },
    },
    notices: {},
  },
  fromListener: { requests: {}, notices: {} },
} as const satisfies ProtocolDefinition;
