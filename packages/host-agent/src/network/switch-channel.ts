/** What is said between the agent's main thread and its switch worker. */
import type { FrameRingHandle } from '@skein/network';
import type { ClusterView, Epoch, HostName, MacOwner, VmId } from '@skein/shared';

export interface SwitchWorkerData {
  readonly host: HostName;
  /** False: a host without a guest network, whose switch is private. */
  readonly hasUplink: boolean;
  /** This host's address on guest-a; null while it has none: then nothing leaves the host. */
  readonly guestAddress: string | null;
  readonly vxlanPort: number;
  /** Rung by VM workers and by the main thread. */
  readonly doorbell: SharedArrayBuffer;
  /** Counters that the main thread reads: the uplink's frames and its tunnel's packets. */
  readonly uplinkTraffic: SharedArrayBuffer;
  readonly tunnelCounters: SharedArrayBuffer;
}

/** A vNIC to be plugged in: rings as seen from the guest. */
export interface PlugNic {
  readonly vm: VmId;
  readonly nic: number;
  readonly mac: string;
  readonly segment: string;
  readonly epoch: Epoch;
  readonly control: SharedArrayBuffer;
  readonly transmitRing: FrameRingHandle;
  readonly receiveRing: FrameRingHandle;
  /** Counts its frames where the main thread reads them. */
  readonly traffic: SharedArrayBuffer;
}

export type SwitchCommand =
  | { readonly type: 'plug'; readonly nics: readonly PlugNic[] }
  | { readonly type: 'unplug'; readonly vm: VmId }
  /** The whole truth of the coordinator; higher epochs already known stay. */
  | { readonly type: 'view'; readonly view: ClusterView }
  /** Of this host or of a peer, at the moment of a take-over. */
  | { readonly type: 'owners'; readonly owners: readonly MacOwner[] }
  /** RARP for each of the VM's addresses. */
  | { readonly type: 'announce'; readonly vm: VmId }
  /** The guest network is at another address now, or away. */
  | { readonly type: 'move-uplink'; readonly address: string | null };

/** What the loop itself obeys. */
export type SwitchLoopCommand = Exclude<SwitchCommand, { readonly type: 'move-uplink' }>;

export type SwitchEvent =
  /** At the start, and again after each move of the uplink. */
  | { readonly type: 'listening'; readonly port: number | null }
  | { readonly type: 'uplink-down'; readonly message: string }
  | {
      readonly type: 'refused';
      readonly code: 'address.in-use' | 'address.unavailable' | 'internal';
      readonly message: string;
    }
  /** Another host claims a MAC at the same epoch: leases exclude it, so somebody lies. */
  | { readonly type: 'owner-conflict'; readonly owner: MacOwner };
