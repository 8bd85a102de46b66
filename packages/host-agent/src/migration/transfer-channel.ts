/** What is said between the agent's main thread and a transfer worker. One worker serves one migration at a time. */
import type { MessagePort } from 'node:worker_threads';
import type { CoreModules } from '@skein/machine';
import {
  CounterBlock,
  type Epoch,
  type GuestHistory,
  type HostName,
  type MachineVersion,
  type MigrationProgress,
  type MigrationRecord,
  type MigrationSourceCommand,
  type MigrationTargetCommand,
  type OwnAddress,
} from '@skein/shared';
import type { Authentication } from '@skein/transport';

/**
 * For the threads of transfers: what a migration leaves behind is less than a young generation of this size holds, so that
 * nothing is collected while it is under way. With 2 MiB, which were right while received bytes lay outside the heap, V8 marked the
 * whole heap between the order and the first page (15 of 30 ms).
 */
export const transferWorkerLimits = { maxYoungGenerationSizeMb: 16 } as const;

/** As whom, from where and to where the storage service is dialed. */
export interface StorageAccess {
  readonly host: HostName;
  readonly bootId: string;
  readonly authentication: Authentication;
  /** This host's own. */
  readonly storageAddress: OwnAddress;
  readonly storage: { readonly address: string; readonly port: number };
}

interface TransferAssignment extends StorageAccess {
  readonly core: CoreModules;
  readonly memory: WebAssembly.Memory;
  readonly memoryMib: number;
  readonly machineVersion: MachineVersion;
  readonly control: SharedArrayBuffer;
  /** To the VM worker. */
  readonly vmPort: MessagePort;
  /** This host's own. */
  readonly migrationAddress: string;
  /** `TransferTraffic`, counted by all transfers of this host. */
  readonly traffic: SharedArrayBuffer;
}

const trafficNames = ['sentBytes', 'receivedBytes'] as const;

/** Bytes of pages: sent ones as the other side acknowledges them. */
export type TransferTraffic = CounterBlock<(typeof trafficNames)[number]>;

/** `buffer`: of the thread that made it. */
export function transferTraffic(buffer?: SharedArrayBuffer): TransferTraffic {
  return new CounterBlock(trafficNames, buffer);
}

export interface SourceAssignment extends TransferAssignment {
  readonly role: 'source';
  readonly command: MigrationSourceCommand;
}

export interface TargetAssignment extends TransferAssignment {
  readonly role: 'target';
  readonly command: MigrationTargetCommand;
}

/** To a spare worker: practise with yourself until there is an assignment. */
export interface TransferRehearsal extends StorageAccess {
  readonly role: 'rehearsal';
  readonly core: CoreModules;
  readonly migrationAddress: OwnAddress;
}

export type TransferInstruction =
  | { readonly type: 'cancel'; readonly reason: string }
  /** The peer is not heard on the migration network, or this host has lost that network. */
  | { readonly type: 'peer-lost'; readonly reason: string }
  /** Target: the coordinator heard of the source that it goes on. */
  | { readonly type: 'source-aborted'; readonly reason: string }
  /** The lease worker heard that the lease is another's. */
  | { readonly type: 'lease-lost'; readonly reason: string }
  /** Answer to `history-wanted`. */
  | { readonly type: 'history'; readonly history: GuestHistory };

export type TransferEvent =
  /** Source: the target may dial. */
  | { readonly type: 'listening'; readonly address: string; readonly port: number }
  | { readonly type: 'progress'; readonly progress: MigrationProgress }
  /** Source: the guest stands still, all its console output was posted; send its history. */
  | { readonly type: 'history-wanted' }
  /** Source: the lease was taken back after an unanswered pass. */
  | { readonly type: 'reasserted'; readonly epoch: Epoch }
  /** Target, while the lease passes: what the source knows of the guest. */
  | { readonly type: 'history-told'; readonly history: GuestHistory }
  /** Source: the lease is the target's; told some milliseconds later, when the right to run has ended already. Target: it is ours and the guest runs here. */
  | { readonly type: 'committed'; readonly epoch: Epoch }
  /** The last but one event. Source: if not committed the guest goes on here. */
  | {
      readonly type: 'ended';
      readonly isCommitted: boolean;
      readonly mustStop: boolean;
      readonly record: MigrationRecord;
    }
  /** Nothing of the migration is left in the worker, and there may be another one. */
  | { readonly type: 'spare' }
  /** Nothing can be said of what becomes of this worker. */
  | { readonly type: 'failed'; readonly message: string };
