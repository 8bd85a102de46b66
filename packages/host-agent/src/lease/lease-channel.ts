/** What is said between the agent's main thread and its lease worker. */
import type { Epoch, HostName, OwnAddress, Problem, VmId } from '@skein/shared';
import type { Authentication, CloseReason } from '@skein/transport';

export interface LeaseWorkerData {
  readonly host: HostName;
  readonly bootId: string;
  readonly authentication: Authentication;
  /** This host's own addresses, or the subnets in which they are looked up. */
  readonly managementAddress: OwnAddress;
  readonly storageAddress: OwnAddress;
  readonly coordinator: { readonly address: string; readonly port: number };
  readonly storage: { readonly address: string; readonly port: number };
  /** Counted up by the main thread: a zombie must not renew (safety: rule 5). */
  readonly liveness: SharedArrayBuffer;
  /** `LeaseFigures`: counted by the worker, read by the main thread. */
  readonly figures: SharedArrayBuffer;
}

export type LeaseCommand =
  | {
      readonly type: 'acquire';
      readonly request: number;
      readonly vm: VmId;
      readonly expectEpoch: Epoch;
      readonly control: SharedArrayBuffer;
    }
  /** The lease is ours already, by a passed grant: renew it from now on. */
  | {
      readonly type: 'adopt';
      readonly vm: VmId;
      readonly epoch: Epoch;
      readonly control: SharedArrayBuffer;
    }
  | { readonly type: 'release'; readonly request: number; readonly vm: VmId }
  /** Not ours any more: stop renewing, say nothing to the storage service. */
  | { readonly type: 'drop'; readonly vm: VmId }
  /** This host's own address on a network is another one now: dial anew. */
  | { readonly type: 'redial'; readonly network: 'management' | 'storage-a' };

/** What concerns VM leases alone. */
export type VmLeaseCommand = Exclude<LeaseCommand, { readonly type: 'redial' }>;

export type LeaseEvent =
  | { readonly type: 'acquired'; readonly request: number; readonly vm: VmId; readonly epoch: Epoch }
  | { readonly type: 'released'; readonly request: number; readonly vm: VmId }
  | { readonly type: 'refused'; readonly request: number; readonly vm: VmId; readonly problem: Problem }
  /** Somebody else has it, at a later epoch: the VM must stop. */
  | { readonly type: 'lost'; readonly vm: VmId; readonly epoch: Epoch; readonly reason: string }
  | { readonly type: 'host-lease'; readonly isHeld: boolean }
  /** The link to the storage service: up where there is no reason. */
  | { readonly type: 'storage'; readonly down: CloseReason | null };
