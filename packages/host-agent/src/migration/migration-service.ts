/**
 * Migrations as the main thread sees them: gives each a transfer worker, passes news between it, the hypervisor and
 * the coordinator, and keeps the record until the coordinator has it.
 */
import type { Worker } from 'node:worker_threads';
import type { CoreModules } from '@skein/machine';
import {
  type Epoch,
  type GuestHistory,
  type HostName,
  type MachineVersion,
  type MigrationProgress,
  type MigrationRecord,
  type MigrationSourceCommand,
  type MigrationTargetCommand,
  OperationError,
  type OperationId,
  type OwnAddress,
  type VmId,
} from '@skein/shared';
import { type Authentication, failpoint, requireOwnAddress } from '@skein/transport';
import type { Logger } from 'pino';
import type { Hypervisor } from '../hypervisor.ts';
import type { ImageStore } from '../image/image-store.ts';
import type { HostedVm } from '../vm/hosted-vm.ts';
import { WarmWorkers } from '../vm/warm-workers.ts';
import { historyOf } from './guest-history.ts';
import { requireMigratable } from './require-migratable.ts';
import { isMismatch } from './state-mismatch.ts';
import {
  type SourceAssignment,
  type TargetAssignment,
  type TransferEvent,
  type TransferInstruction,
  type TransferRehearsal,
  transferTraffic,
  transferWorkerLimits,
} from './transfer-channel.ts';

export interface MigrationServiceOptions {
  readonly host: HostName;
  readonly bootId: string;
  readonly authentication: Authentication;
  readonly core: CoreModules;
  readonly machineVersion: MachineVersion;
  readonly images: ImageStore;
  readonly hypervisor: Hypervisor;
  /** Null: this host has no migration network. */
  readonly migrationAddress: OwnAddress | null;
  readonly storageAddress: OwnAddress;
  readonly storage: { readonly address: string; readonly port: number };
  readonly log: Logger;
  readonly onProgress: (progress: MigrationProgress) => void;
  /** For how long a peer has not been heard on the migration network; null: it is heard. */
  readonly silenceMs: (peer: HostName) => number | null;
  /** Whether the coordinator hears the VM's console. */
  readonly isConsoleRead: (vm: VmId) => boolean;
  /** A guest whose console it heard runs here now; what it wrote from `position` on was written here. */
  readonly onConsoleRead: (vm: VmId, position: number) => void;
  /** Resolves when the coordinator has the record. */
  readonly onEnded: (side: 'source' | 'target', record: MigrationRecord) => void;
}

interface Running {
  readonly side: 'source' | 'target';
  readonly peer: HostName;
  readonly vm: HostedVm;
  readonly worker: Worker;
  isCommitted: boolean;
  /** Target: what the source told of the guest. */
  history: GuestHistory | null;
}

type Listening = { readonly address: string; readonly port: number };

const listeningDeadlineMs = 5000;
/** As many migrations as a host has at a time, unless its cluster says otherwise. */
const workersKeptMax = 2;
/** A worker that does not come to its end by then is ended. */
const retireDeadlineMs = 3000;

export class MigrationService {
  /** Counted by the transfer workers. */
  readonly traffic = transferTraffic();
  readonly #options: MigrationServiceOptions;
  readonly #running = new Map<OperationId, Running>();
  readonly #sources = new Map<OperationId, Promise<Listening>>();
  #hashMismatches = 0;
  readonly #workers: WarmWorkers;

  constructor(options: MigrationServiceOptions) {
    this.#options = options;
    this.#workers = new WarmWorkers({
      entry: 'transfer.worker',
      spareCount: 1,
      keptMax: workersKeptMax,
      limits: transferWorkerLimits,
      rehearsal: () => this.#rehearsal(),
      onTrouble: (reason) => options.log.warn({ reason }, 'a spare transfer worker could not rehearse'),
    });
  }

  /** The VM's source side begins to listen; the coordinator tells the target where. */
  startSource(command: MigrationSourceCommand): Promise<Listening> {
    const known = this.#sources.get(command.operation);
    if (known !== undefined) return known;
    const started = this.#startSource(command);
    this.#sources.set(command.operation, started);
    started.catch(() => this.#sources.delete(command.operation));
    return started;
  }

  /**
   * The guest brings its memory along, but a host that lacks its image could not start it again when it ends.
   * @throws OperationError migration.no-network, migration.partitioned, image.not-found, image.corrupt,
   * host.out-of-memory, vm.wrong-state
   */
  async startTarget(command: MigrationTargetCommand): Promise<void> {
    if (this.#running.has(command.operation)) return;
    this.#requireNetwork();
    this.#requirePeer(command.sourceHost);
    await this.#options.images.describe(command.machine.image);
    // The command may have come a second time meanwhile.
    if (this.#running.has(command.operation)) return;
    failpoint('migration.reserve.before');
    const vm = this.#options.hypervisor.admitIncoming(command);
    failpoint('migration.reserve.after');
    this.#run('target', command, vm);
  }

  cancel(operation: OperationId, reason = 'cancelled on request'): void {
    const instruction: TransferInstruction = { type: 'cancel', reason };
    this.#running.get(operation)?.worker.postMessage(instruction);
  }

  /** The source went on. False: this migration has ended here. */
  sourceAborted(operation: OperationId, reason: string): boolean {
    const running = this.#running.get(operation);
    if (running !== undefined) this.#instruct(running, { type: 'source-aborted', reason });
    return running !== undefined;
  }

  /** Migrations that this host takes part in at present. */
  running(side: 'source' | 'target'): number {
    return [...this.#running.values()].filter((running) => running.side === side).length;
  }

  /** Committed migrations whose two ends were not the same state. */
  get hashMismatches(): number {
    return this.#hashMismatches;
  }

  /** What is under way with that peer is given up, unless it is decided already. */
  peerSilent(peer: HostName, silentMs: number): void {
    const reason = describeSilence(this.#options.host, peer, silentMs);
    for (const running of this.#running.values())
      if (running.peer === peer) this.#instruct(running, { type: 'peer-lost', reason });
  }

  /** This host lost its migration network (`address` null), or is at another address there. */
  networkChanged(address: string | null): void {
    const { host } = this.#options;
    const reason =
      address === null
        ? `${host} lost its migration network: its link is down, or it was disconnected`
        : `${host} is at another address on the migration network now, ${address}`;
    for (const running of this.#running.values()) this.#instruct(running, { type: 'peer-lost', reason });
  }

  async close(): Promise<void> {
    await Promise.all([...this.#running.values()].map(({ worker }) => worker.terminate()));
    await this.#workers.close();
  }

  async #startSource(command: MigrationSourceCommand): Promise<Listening> {
    const vm = this.#options.hypervisor.get(command.vm);
    requireMigratable(vm, command.epoch);
    this.#requirePeer(command.targetHost);
    return await new Promise<Listening>((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new OperationError({ code: 'timeout', message: 'the transfer worker did not start in time' }));
      }, listeningDeadlineMs);
      this.#run('source', command, vm, (event) => {
        clearTimeout(timer);
        if (event.type === 'listening') resolve({ address: event.address, port: event.port });
        else reject(new OperationError({ code: 'migration.aborted', message: event.message }));
      });
    });
  }

  #run(
    side: 'source' | 'target',
    command: MigrationSourceCommand | MigrationTargetCommand,
    vm: HostedVm,
    onStart?: (event: Extract<TransferEvent, { type: 'listening' | 'failed' }>) => void,
  ): void {
    const migrationAddress = this.#requireNetwork();
    const { runner } = vm;
    if (runner === null)
      throw new OperationError({ code: 'vm.wrong-state', message: `${vm.name} has no vCPU here` });
    const worker = this.#workers.take();
    const peer = 'targetHost' in command ? command.targetHost : command.sourceHost;
    const running: Running = { side, peer, vm, worker, isCommitted: false, history: null };
    this.#running.set(command.operation, running);
    vm.isMigrating = true;
    vm.onLeaseLost = (reason) => this.#instruct(running, { type: 'lease-lost', reason });
    worker.on('message', (event: TransferEvent) => {
      if (event.type === 'listening' || (event.type === 'failed' && onStart !== undefined)) onStart?.(event);
      this.#hear(command.operation, running, event);
    });
    worker.once('error', (error) => this.#abandon(command.operation, running, String(error)));
    const vmPort = runner.attachTransfer();
    const { host, bootId, authentication, core, machineVersion, storageAddress, storage } = this.#options;
    const common = {
      host,
      bootId,
      authentication,
      core,
      memory: runner.memory,
      memoryMib: vm.machine.memoryMib,
      machineVersion,
      control: vm.control.buffer,
      vmPort,
      migrationAddress,
      storageAddress,
      storage,
      traffic: this.traffic.buffer,
    };
    const assignment = { ...common, role: side, command } as SourceAssignment | TargetAssignment;
    worker.postMessage(assignment, [vmPort]);
  }

  #hear(operation: OperationId, running: Running, event: TransferEvent): void {
    const { vm, side } = running;
    switch (event.type) {
      case 'listening':
      case 'spare':
        break;
      case 'progress':
        this.#options.onProgress(event.progress);
        break;
      case 'history-wanted':
        vm.whenState('suspended', () => {
          // Its worker may be another migration's by now.
          if (this.#running.get(operation) !== running) return;
          const history = historyOf(vm, this.#options.isConsoleRead(vm.vm));
          this.#instruct(running, { type: 'history', history });
        });
        break;
      case 'history-told':
        running.history = event.history;
        vm.adopt(event.history);
        break;
      case 'reasserted':
        this.#options.hypervisor.raiseEpoch(vm, event.epoch);
        break;
      case 'committed':
        running.isCommitted = true;
        if (side === 'source') this.#options.hypervisor.leaveBehind(vm);
        else this.#complete(running, event.epoch);
        break;
      case 'ended':
        this.#ended(operation, running, event.record, event.mustStop);
        break;
      case 'failed':
        this.#abandon(operation, running, event.message);
        break;
    }
  }

  /** What the guest has said by now first: somebody may be waiting for it. */
  #complete({ vm, history }: Running, epoch: Epoch): void {
    if (history?.isConsoleRead === true) this.#options.onConsoleRead(vm.vm, history.consolePosition);
    this.#options.hypervisor.completeIncoming(vm, epoch);
  }

  #ended(operation: OperationId, running: Running, record: MigrationRecord, mustStop: boolean): void {
    const { vm, side, isCommitted, worker } = running;
    this.#running.delete(operation);
    this.#sources.delete(operation);
    vm.isMigrating = false;
    vm.onLeaseLost = null;
    if (isMismatch(record)) {
      this.#hashMismatches += 1;
      this.#options.log.fatal({ operation, record }, 'ALARM: the source re-hashed to another state');
    }
    if (side === 'source' && isCommitted) this.#destroy(vm);
    if (side === 'target' && !isCommitted) vm.stop(`migration aborted: ${record.reason ?? 'no reason'}`);
    if (side === 'target' && isCommitted) {
      if (mustStop) vm.stop(record.reason ?? 'its memory was lost in a migration');
      else if (record.postcopy !== null) this.#options.hypervisor.completeMemory(vm);
    }
    if (side === 'source' && !isCommitted && (mustStop || vm.lostLeaseReason !== null)) {
      this.#options.hypervisor.fence(vm, vm.lostLeaseReason ?? record.reason ?? 'the lease is another’s');
    }
    this.#options.log.info(
      { operation, side, outcome: record.outcome, reason: record.reason },
      'migration ended',
    );
    this.#options.onEnded(side, record);
    this.#options.hypervisor.makeReady();
    this.#retire(worker);
  }

  /** Its last messages and its listener's close need a moment; then it is there for another migration. */
  #retire(worker: Worker): void {
    const timer = setTimeout(() => {
      void worker.terminate();
      this.#workers.refill();
    }, retireDeadlineMs).unref();
    worker.on('message', ({ type }: TransferEvent) => {
      if (type !== 'spare') return;
      clearTimeout(timer);
      this.#workers.giveBack(worker);
    });
  }

  /** The copy that was left behind. */
  #destroy(vm: HostedVm): void {
    failpoint('migration.destroy.before');
    vm.whenState('stopped', () => failpoint('migration.destroy.after'));
    vm.stop('migrated away');
  }

  /** The transfer worker died, or gave up without an end: what becomes of the VM is the lease's to say. */
  #abandon(operation: OperationId, running: Running, reason: string): void {
    const { vm, side, worker, isCommitted } = running;
    if (!this.#running.delete(operation)) return;
    this.#options.log.error({ operation, side, reason }, 'migration failed');
    this.#sources.delete(operation);
    vm.isMigrating = false;
    vm.onLeaseLost = null;
    void worker.terminate();
    this.#workers.refill();
    this.#options.hypervisor.makeReady();
    if (side === 'target' && !isCommitted) vm.stop(`migration failed: ${reason}`);
    if (side === 'source') this.#abandonSource(vm, isCommitted);
  }

  #abandonSource(vm: HostedVm, isCommitted: boolean): void {
    const { hypervisor } = this.#options;
    // A worker ends the right to run at the commit, of which it tells a little later.
    const isLeft = isCommitted || (vm.state === 'suspended' && vm.control.isRevoked);
    if (isLeft && !isCommitted) hypervisor.leaveBehind(vm);
    if (isLeft) this.#destroy(vm);
    else if (vm.state === 'suspended') void hypervisor.reclaim(vm);
  }

  /** Null where nothing can be migrated. */
  #rehearsal(): TransferRehearsal | null {
    const { host, bootId, authentication, core, migrationAddress, storageAddress, storage } = this.#options;
    if (migrationAddress === null) return null;
    return {
      role: 'rehearsal',
      host,
      bootId,
      authentication,
      core,
      migrationAddress,
      storageAddress,
      storage,
    };
  }

  /** @throws OperationError migration.no-network */
  #requireNetwork(): string {
    const { host, migrationAddress } = this.#options;
    if (migrationAddress !== null) return requireOwnAddress(migrationAddress);
    throw new OperationError({
      code: 'migration.no-network',
      message: `host ${host} has no address on the migration network: nothing can be migrated from or to it`,
    });
  }

  /** @throws OperationError migration.partitioned */
  #requirePeer(peer: HostName): void {
    const silentMs = this.#options.silenceMs(peer);
    if (silentMs === null) return;
    const { host } = this.#options;
    throw new OperationError({
      code: 'migration.partitioned',
      message: `${describeSilence(host, peer, silentMs)}: choose another host, or try again when they reach each other`,
      details: { hosts: [host, peer], network: 'migration' },
    });
  }

  #instruct(running: Running, instruction: TransferInstruction): void {
    running.worker.postMessage(instruction);
  }
}

function describeSilence(host: HostName, peer: HostName, silentMs: number): string {
  return `${host} has not heard ${peer} on the migration network for ${Math.round(silentMs)} ms`;
}
