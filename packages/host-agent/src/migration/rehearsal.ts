/**
 * A migration of a small machine from this worker to itself, over a real connection, before there is one to do: what runs
 * for the first time runs slowly, and a guest that waits for its last pages feels it. Nothing comes of it: its lease is
 * nobody's, and the storage service is only asked about it.
 */
import { randomBytes } from 'node:crypto';
import { MessageChannel } from 'node:worker_threads';
import {
  createDevices,
  createMachineMemory,
  dirtyConsumers,
  Machine,
  machineVersion,
  pageBytes,
  savedStateHash,
} from '@skein/machine';
import { type MigrationRecord, MigrationSettings, OperationError } from '@skein/shared';
import { requireOwnAddress } from '@skein/transport';
import { VmControlBlock } from '../vm/control-block.ts';
import { vmDevices } from '../vm/vm-board.ts';
import type { AnsweredCommand, TransferCommand, TransferReply } from '../vm/vm-channel.ts';
import { emptyHistory } from './guest-history.ts';
import { SourceTransfer } from './source-transfer.ts';
import { TargetTransfer } from './target-transfer.ts';
import {
  type SourceAssignment,
  type StorageAccess,
  type TargetAssignment,
  type TransferEvent,
  type TransferRehearsal,
  transferTraffic,
} from './transfer-channel.ts';
import { openTransferLeases, type TransferLeases } from './transfer-leases.ts';

/** Of a rehearsed VM: the least that a machine has. */
export const rehearsedMib = 64;
/** Of these, which are all that is touched. */
const dirtiedPages = 512;
const ramBase = 0x8000_0000;
const deadlineMs = 5000;
/** Of the storage service's answer. */
const askDeadlineMs = 100;
/** No round fits it and none helps, so that there are as many as slow a vCPU step by step. */
const settings = MigrationSettings.parse({ downtimeBudgetMs: 1, deadlineMs });
const command = { operation: 'op-0000000000000000', vm: 'vm-0000000000000000', epoch: 1 } as const;

/** Of nobody's lease, which passes as soon as it is asked for. */
export const noLeases: TransferLeases = {
  pass: async (_vm, epoch) => epoch + 1,
  acquire: async () => {
    throw new OperationError({ code: 'lease.not-found', message: 'a rehearsal has no lease' });
  },
  read: async () => null,
  close: () => {},
};

/**
 * The same, but that the storage service is asked what it knows of the lease before it passes, there and back as when one does. A service that is away or
 * slow does not matter, nor does it keep the rehearsal from being called off.
 */
function leasesAskedAbout(access: StorageAccess, signal: AbortSignal): TransferLeases {
  const client = openTransferLeases(access, askDeadlineMs);
  return {
    ...noLeases,
    pass: async (vm, epoch, target) => {
      await client.read(vm).catch(() => null);
      if (signal.aborted) throw new OperationError({ code: 'lease.not-found', message: 'it gets serious' });
      return await noLeases.pass(vm, epoch, target);
    },
    close: () => client.close(),
  };
}

/** At failpoints: whoever holds a migration means a real one. */
const passBy = (): void => {};

export interface Rehearsed {
  readonly source: MigrationRecord;
  readonly target: MigrationRecord;
  /** What carried it out, with all that it still refers to: the source's side, and the target's if it came so far. */
  readonly transfers: readonly (SourceTransfer | TargetTransfer)[];
}

/**
 * Resolves with the records when both sides have ended; gives up when `signal` says that there is something real to do.
 * @throws OperationError address.unavailable, and whatever keeps a migration from beginning
 */
export async function rehearseTransfer(
  rehearsal: TransferRehearsal,
  signal: AbortSignal,
): Promise<Rehearsed> {
  const leases = leasesAskedAbout(rehearsal, signal);
  try {
    return await rehearse(rehearsal, signal, leases);
  } finally {
    // What could not begin closes nothing by itself.
    leases.close();
  }
}

async function rehearse(
  rehearsal: TransferRehearsal,
  signal: AbortSignal,
  leases: TransferLeases,
): Promise<Rehearsed> {
  const migrationAddress = requireOwnAddress(rehearsal.migrationAddress);
  const ends = {
    source: Promise.withResolvers<MigrationRecord>(),
    target: Promise.withResolvers<MigrationRecord>(),
  };
  const common = commonAssignment(rehearsal, migrationAddress);
  const transfers: (SourceTransfer | TargetTransfer)[] = [];
  const source = new SourceTransfer(
    {
      ...common,
      ...rehearsedVm(rehearsal),
      role: 'source',
      command: { ...command, targetHost: rehearsal.host, settings },
    } satisfies SourceAssignment,
    (event) => {
      if (event.type === 'listening') beginTarget(event);
      if (event.type === 'history-wanted') source.instruct({ type: 'history', history: emptyHistory });
      settle(ends.source, event);
    },
    leases,
    passBy,
  );
  transfers.push(source);
  const beginTarget = ({ address, port }: { readonly address: string; readonly port: number }): void => {
    const assignment: TargetAssignment = {
      ...common,
      ...rehearsedVm(rehearsal),
      role: 'target',
      command: {
        ...command,
        name: 'rehearsal',
        machine: {
          memoryMib: rehearsedMib,
          image: '',
          nics: [],
          bootArguments: '',
          cpu: { reservationMhz: 0, shares: 1 },
        },
        sourceHost: rehearsal.host,
        sourceAddress: address,
        sourcePort: port,
        deadlineMs,
      },
    };
    const target = new TargetTransfer(
      assignment,
      (event) => {
        settle(ends.target, event);
      },
      noLeases,
      passBy,
    );
    transfers.push(target);
    void target.start();
  };
  const giveUp = (): void => source.instruct({ type: 'cancel', reason: 'it gets serious' });
  signal.addEventListener('abort', giveUp);
  try {
    await source.start();
    const [sourceRecord, targetRecord] = await Promise.all([ends.source.promise, ends.target.promise]);
    return { source: sourceRecord, target: targetRecord, transfers };
  } finally {
    // The signal outlives the rehearsal by far, and would keep its memory.
    signal.removeEventListener('abort', giveUp);
  }
}

function settle({ resolve, reject }: PromiseWithResolvers<MigrationRecord>, event: TransferEvent): void {
  if (event.type === 'ended') resolve(event.record);
  if (event.type === 'failed') reject(new Error(event.message));
}

function commonAssignment(
  { host, bootId, authentication, core, storageAddress, storage }: TransferRehearsal,
  migrationAddress: string,
): Omit<SourceAssignment, 'role' | 'command' | 'memory' | 'control' | 'vmPort'> {
  return {
    host,
    bootId,
    authentication,
    core,
    memoryMib: rehearsedMib,
    machineVersion,
    migrationAddress,
    storageAddress,
    storage,
    traffic: transferTraffic().buffer,
  };
}

/** A machine that never runs, and a line to it on which it answers as a VM worker would. */
export function rehearsedVm({
  core,
}: Pick<TransferRehearsal, 'core'>): Pick<SourceAssignment, 'memory' | 'control' | 'vmPort'> {
  const wasm = createMachineMemory(core, rehearsedMib);
  const devices = createDevices(
    vmDevices({ nics: [{ mac: '52:54:00:00:00:00' }], rngSeed: randomBytes(32), rtcEpochSeconds: 0 }),
  );
  const machine = new Machine({ core, memory: wasm, memoryMib: rehearsedMib, devices, emit: () => {} });
  const { port1, port2 } = new MessageChannel();
  port1.on('message', (request: TransferCommand) => {
    if (request.type !== 'allocate-ahead' && request.type !== 'head-start')
      port1.postMessage(answer(request, machine));
  });
  port1.unref();
  return { memory: wasm, control: new VmControlBlock().buffer, vmPort: port2 };
}

function answer(request: AnsweredCommand, machine: Machine): TransferReply {
  switch (request.type) {
    case 'harvest':
      dirtyPages(machine);
      machine.harvestDirty(dirtyConsumers.migration);
      return { type: 'harvested' };
    case 'suspend': {
      const state = machine.saveState();
      const suspendedAtNs = process.hrtime.bigint();
      return { type: 'suspended', state, stateHash: savedStateHash(state), guestTicks: 0n, suspendedAtNs };
    }
    case 'resume':
      return { type: 'resumed' };
    case 'prepare':
      machine.restoreState(request.state);
      return { type: 'prepared', stateHash: savedStateHash(machine.saveState()) };
    case 'activate':
      return {
        type: 'activated',
        atNs: process.hrtime.bigint(),
        ahead: { allocatedPages: 0, decodedPages: 0, headStartSteps: 0 },
      };
    case 'decode-ahead':
      return { type: 'decoded-ahead' };
  }
}

/** Every kind of page: some zero, some changed a little, some new. */
function dirtyPages(machine: Machine): void {
  for (let page = 0; page < dirtiedPages; page++) {
    const address = ramBase + page * pageBytes;
    if (page % 8 === 0) machine.guestMemory.write(address, new Uint8Array(pageBytes));
    else machine.guestMemory.write(address, randomBytes(page % 2 === 0 ? 64 : pageBytes));
  }
}
