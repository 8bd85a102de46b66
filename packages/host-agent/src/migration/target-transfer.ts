/**
 * The target's side of one migration: carries out what core/migration-target.ts decides. Pages go straight into the
 * RAM of a machine that waits in its worker; it runs when, and only when, the lease is ours.
 */
import { addHashes, MachineMemory } from '@skein/machine';
import {
  type GuestHistory,
  grantDeadlineNs,
  type MigrationFinal,
  type MigrationRecord,
  migrationProtocol,
  OperationError,
  type TargetTimes,
  timingDefaults,
  toProblem,
} from '@skein/shared';
import { dial, type Link } from '@skein/transport';
import type { ClockOffset } from '../core/clock-offset.ts';
import { resumedClock } from '../core/guest-clock.ts';
import {
  type LeaseReading,
  stepTarget,
  type TargetEffect,
  type TargetEvent,
  type TargetState,
  targetStart,
} from '../core/migration-target.ts';
import { VmControlBlock } from '../vm/control-block.ts';
import type { TransferReply } from '../vm/vm-channel.ts';
import { Deadlines } from './deadlines.ts';
import { measureOffset } from './measure-offset.ts';
import { MemoryArrival } from './memory-arrival.ts';
import { bitmapOf } from './page-bitmap.ts';
import { formatStateHash } from './page-hashes.ts';
import { PageReceiver } from './page-receiver.ts';
import {
  type TargetAssignment,
  type TransferEvent,
  type TransferInstruction,
  type TransferTraffic,
  transferTraffic,
} from './transfer-channel.ts';
import type { TransferLeases } from './transfer-leases.ts';
import { VmLink } from './vm-link.ts';

const requestDeadlineMs = 3000;
const recordDeadlineMs = 10_000;
const leaseReadPeriodMs = 100;
/** Ten times as long as a pass may take: by then the source has gone on. */
const undecidedMsMax = 10_000;
const maxPayloadBytes = 1 << 20;

export class TargetTransfer {
  readonly #assignment: TargetAssignment;
  readonly #tell: (event: TransferEvent) => void;
  readonly #vm: VmLink;
  readonly #receiver: PageReceiver;
  readonly #leases: TransferLeases;
  readonly #deadlines = new Deadlines();
  readonly #startedNs = process.hrtime.bigint();
  #link: Link<typeof migrationProtocol, 'dialer'> | null = null;
  #state: TargetState = targetStart;
  #offset: ClockOffset = { offsetNs: 0n, errorNs: 0n };
  #final: MigrationFinal | null = null;
  #history: GuestHistory | null = null;
  #stateHash = 0n;
  #readyAtNs = 0n;
  #grantedAtNs = 0n;
  readonly #traffic: TransferTraffic;
  readonly #memory: MachineMemory;
  readonly #arrival: MemoryArrival;
  /** What the machine says to its state; null before it came. */
  #prepared: Promise<Extract<TransferReply, { type: 'prepared' }>> | null = null;
  #preparedHash = 0n;

  constructor(assignment: TargetAssignment, tell: (event: TransferEvent) => void, leases: TransferLeases) {
    this.#assignment = assignment;
    this.#tell = tell;
    this.#memory = new MachineMemory(assignment.core, assignment.memory, assignment.memoryMib);
    this.#vm = new VmLink(assignment.vmPort, this.#memory);
    this.#arrival = new MemoryArrival(this.#memory);
    this.#vm.onCall((call) =>
      this.#arrival.hear(call, (page) => this.#link?.notify('pages.wanted', { pages: [page] })),
    );
    this.#receiver = new PageReceiver(assignment.core, this.#memory);
    this.#traffic = transferTraffic(assignment.traffic);
    this.#leases = leases;
  }

  async start(): Promise<void> {
    const { command } = this.#assignment;
    this.#deadlines.set('whole', command.deadlineMs, () => {
      this.#feed({ type: 'cancelled', reason: `not committed within ${command.deadlineMs} ms` });
    });
    try {
      const link = await this.#connect();
      this.#feed({ type: 'connected' });
      await link.request('migration.begin', {}, { deadlineMs: requestDeadlineMs });
    } catch (error) {
      this.#feed({ type: 'cancelled', reason: toProblem(error).message });
    }
  }

  instruct(instruction: TransferInstruction): void {
    if (instruction.type === 'cancel') this.#feed({ type: 'cancelled', reason: instruction.reason });
    if (instruction.type === 'peer-lost') {
      this.#feed({ type: 'link-lost', reason: instruction.reason });
      this.#link?.close(instruction.reason);
    }
  }

  #feed(event: TargetEvent): void {
    const { state, effects } = stepTarget(this.#state, event);
    this.#state = state;
    for (const effect of effects) this.#carryOut(effect);
  }

  #carryOut(effect: TargetEffect): void {
    switch (effect) {
      case 'say-ready':
      case 'say-refused':
        break; // The answer to the source's request says it.
      case 'read-lease':
        this.#deadlines.set('undecided', undecidedMsMax, () => this.#feed({ type: 'undecided-too-long' }));
        void this.#readLease();
        break;
      case 'read-lease-later':
        this.#deadlines.set('read', leaseReadPeriodMs, () => void this.#readLease());
        break;
      case 'resume-vm':
        void this.#resume().catch((error: unknown) =>
          this.#tell({ type: 'failed', message: toProblem(error).message }),
        );
        break;
      case 'announce':
        break; // The main thread announces when it hears `committed`.
      case 'free-vm':
        break; // The main thread frees when it hears `ended`.
      case 'report':
        if (this.#state.phase === 'aborted') this.#end(false, this.#abortedRecord());
        break;
    }
  }

  async #connect(): Promise<Link<typeof migrationProtocol, 'dialer'>> {
    const { command, host, bootId, migrationAddress, memoryMib } = this.#assignment;
    const link = await dial({
      host: command.sourceAddress,
      port: command.sourcePort,
      localAddress: migrationAddress,
      protocol: migrationProtocol,
      own: { role: 'transfer', name: host, bootId },
      authentication: this.#assignment.authentication,
      bulkBuffer: this.#receiver.socketBuffer,
      maxPayloadBytes: Math.max(maxPayloadBytes, 6 << 20),
      admit: (peer) => {
        if (peer.name === command.sourceHost) return;
        throw new OperationError({
          code: 'link.unauthenticated',
          message: `${peer.name} is not the source of this migration`,
        });
      },
      handlers: {
        requests: { 'migration.final': (final) => this.#verify(final) },
        notices: {
          'migration.state': ({ state }) => this.#prepare(state),
          'migration.granted': ({ history }) => {
            this.#history = history;
            this.#grantedAtNs = process.hrtime.bigint();
            this.#feed({ type: 'granted' });
          },
          'migration.aborted': ({ reason }) => this.#feed({ type: 'source-aborted', reason }),
        },
      },
    });
    this.#link = link;
    void link.closed.then(({ message }) => {
      this.#arrival.ended(message);
      this.#feed({
        type: 'link-lost',
        reason: `the link to the source on the migration network ended: ${message}`,
      });
    });
    link.onBulk = (frame) => this.#apply(frame);
    const { operation, vm, epoch } = command;
    const hello = await link.request(
      'migration.hello',
      { operation, vm, epoch, host },
      { deadlineMs: requestDeadlineMs },
    );
    if (hello.memoryMib !== memoryMib) {
      throw new OperationError({
        code: 'migration.aborted',
        message: `the source has ${hello.memoryMib} MiB, reserved were ${memoryMib}`,
      });
    }
    this.#offset = await measureOffset(link);
    return link;
  }

  #apply(frame: Uint8Array): void {
    const isExpected =
      this.#state.phase === 'receiving' || (this.#arrival.isFollowing && this.#state.phase !== 'aborted');
    if (!isExpected) return;
    const applied = this.#receiver.apply(frame);
    if (applied.kind === 'refused') {
      this.#feed({ type: 'cancelled', reason: `migration.page-mismatch: ${applied.reason}` });
      this.#link?.close(applied.reason);
      return;
    }
    this.#traffic.add('receivedBytes', frame.length);
    this.#arrival.applied();
    // Also when nothing more is on its way: the source waits for the end of a round.
    const bytes = applied.acknowledgeBytes;
    if (bytes > 0) this.#link?.notify('pages.applied', { bytes });
    else this.#deadlines.set('acknowledge', 0, () => this.#acknowledgeRest());
  }

  #acknowledgeRest(): void {
    const bytes = this.#receiver.flush();
    if (bytes > 0) this.#link?.notify('pages.applied', { bytes });
  }

  /** The machine takes its state over while the last pages are still on their way. */
  #prepare(state: Uint8Array): void {
    if (this.#prepared !== null || this.#state.phase !== 'receiving') return;
    this.#prepared = this.#vm.ask({ type: 'prepare', state }, 'prepared');
    // Whoever waits for it hears of a failure.
    this.#prepared.catch(() => {});
  }

  /** All pages were applied before this message, in order. @throws OperationError migration.hash-mismatch */
  async #verify(final: MigrationFinal): Promise<{ stateHashTarget: string; readyAtNs: bigint }> {
    const reason = await this.#compare(final).catch((error: unknown) => toProblem(error).message);
    if (reason !== null) {
      this.#feed({ type: 'final-mismatched', reason });
      throw new OperationError({ code: 'migration.hash-mismatch', message: reason });
    }
    if (this.#state.phase !== 'receiving') {
      throw new OperationError({
        code: 'migration.aborted',
        message: this.#state.reason ?? 'the target gave up',
      });
    }
    this.#final = final;
    this.#readyAtNs = process.hrtime.bigint();
    this.#feed({ type: 'final-verified' });
    return { stateHashTarget: formatStateHash(this.#stateHash), readyAtNs: this.#readyAtNs };
  }

  /** Null if everything is as the source has it. */
  async #compare(final: MigrationFinal): Promise<string | null> {
    if (final.batches !== this.#receiver.batches) {
      return `${this.#receiver.batches} page batches were applied, ${final.batches} were sent`;
    }
    const missing = final.missing === null ? null : bitmapOf(final.missing, this.#memory.pages);
    if (final.missing !== null && missing === null) return 'the bitmap of missing pages is of another guest';
    if (missing !== null) {
      this.#receiver.withhold(missing);
      this.#arrival.begin();
    }
    if (this.#prepared === null) return 'the state of CPU and devices never came';
    const prepared = await this.#prepared;
    this.#preparedHash = prepared.stateHash;
    this.#stateHash = addHashes(this.#receiver.hashes.sum, prepared.stateHash);
    const hash = formatStateHash(this.#stateHash);
    return hash === final.stateHash
      ? null
      : `the state hash is ${hash} here and ${final.stateHash} at the source`;
  }

  async #resume(): Promise<void> {
    const { command, control } = this.#assignment;
    const final = this.#final;
    if (final === null)
      throw new OperationError({ code: 'internal', message: 'committed without a verified state' });
    // The lease counts from when `ready` was said: the pass came after it (safety: Commit point).
    new VmControlBlock(control).deadlineNs = grantDeadlineNs(
      this.#readyAtNs,
      timingDefaults.vmLeaseTtlMs,
      timingDefaults,
    );
    const epoch = command.epoch + 1;
    const suspension = { guestTicks: final.guestTicks, sourceNs: final.suspendedAtNs };
    const clock = resumedClock(suspension, process.hrtime.bigint(), this.#offset.offsetNs);
    const activated = this.#vm.ask({ type: 'activate', clock }, 'activated');
    this.#tell({ type: 'committed', epoch, history: this.#history });
    const { atNs } = await activated;
    this.#deadlines.clear();
    const lost = await this.#arrival.whole();
    if (lost !== null) {
      this.#lostMemory(lost);
      return;
    }
    this.#stateHash = addHashes(this.#receiver.hashes.sum, this.#preparedHash);
    const record = await this.#closedRecord({
      readyAtNs: this.#readyAtNs,
      grantedAtNs: this.#grantedAtNs === 0n ? atNs : this.#grantedAtNs,
      resumedAtNs: atNs,
      clockOffsetNs: this.#offset.offsetNs,
      clockOffsetErrorNs: this.#offset.errorNs,
      stateHashTarget: formatStateHash(this.#stateHash),
      waits: this.#arrival.waits,
    });
    this.#feed({ type: 'vm-resumed' });
    this.#end(true, record);
  }

  /** After the commit: the guest cannot go on here, nor anywhere else; it is started anew like that of a lost host. */
  #lostMemory(reason: string): void {
    const message = `${this.#memory.missingPages} pages of its memory were lost with ${this.#assignment.command.sourceHost}: ${reason}`;
    const epochAfter = this.#assignment.command.epoch + 1;
    this.#feed({ type: 'vm-resumed' });
    this.#end(true, { ...this.#abortedRecord(), outcome: 'committed', reason: message, epochAfter }, true);
  }

  /** The source's record with everything in it; ours, with less, if the source is gone. */
  async #closedRecord(times: TargetTimes): Promise<MigrationRecord> {
    try {
      if (this.#link === null) throw new OperationError({ code: 'link.closed', message: 'no link' });
      const reply = await this.#link.request('migration.resumed', times, { deadlineMs: recordDeadlineMs });
      return reply.record;
    } catch {
      return {
        ...this.#abortedRecord(),
        outcome: 'committed',
        reason: null,
        epochAfter: this.#assignment.command.epoch + 1,
      };
    }
  }

  async #readLease(): Promise<void> {
    if (this.#state.phase !== 'resolving') return;
    const { vm, epoch, sourceHost } = this.#assignment.command;
    const lease = await this.#leases.read(vm).catch(() => 'unknown' as const);
    let reading: LeaseReading = 'not-mine';
    if (lease === 'unknown') reading = 'undecided';
    else if (lease?.owner === this.#assignment.host && lease.epoch === epoch + 1) reading = 'mine';
    else if (lease?.owner === sourceHost && lease.epoch === epoch && lease.remainingMs > 0)
      reading = 'undecided';
    // While the lease cannot be read nothing may be concluded from the time that passes.
    if (lease === 'unknown')
      this.#deadlines.set('undecided', undecidedMsMax, () => this.#feed({ type: 'undecided-too-long' }));
    this.#feed({ type: 'lease-read', reading });
  }

  #end(isCommitted: boolean, record: MigrationRecord, isMemoryLost = false): void {
    this.#deadlines.clear();
    this.#tell({ type: 'ended', isCommitted, mustStop: !isCommitted || isMemoryLost, record });
    this.#leases.close();
    setTimeout(() => this.#link?.close('the migration ended'), 200);
  }

  #abortedRecord(): MigrationRecord {
    const { command, host } = this.#assignment;
    const nothing = formatStateHash(0n);
    return {
      operation: command.operation,
      vm: command.vm,
      from: command.sourceHost,
      to: host,
      mode: this.#arrival.isFollowing ? 'post-copy' : 'pre-copy',
      outcome: 'aborted',
      reason: this.#state.reason,
      epochBefore: command.epoch,
      epochAfter: command.epoch,
      phases: { precopyMs: 0, stopAndCopyMs: 0, postcopyMs: 0 },
      settings: null,
      rounds: [],
      precopyEnd: null,
      postcopy: null,
      moments: null,
      memoryMib: this.#assignment.memoryMib,
      pages: 0,
      zeroPages: 0,
      freePages: 0,
      deltaPages: 0,
      bytes: 0,
      uncompressedBytes: 0,
      throttlePercentMax: 0,
      totalMs: Number(process.hrtime.bigint() - this.#startedNs) / 1e6,
      downtimeMs: 0,
      downtime: { boundaryWaitMs: 0, lastPagesMs: 0, stateMs: 0, verifyMs: 0, leasePassMs: 0, resumeMs: 0 },
      clockOffsetMs: Number(this.#offset.offsetNs) / 1e6,
      clockOffsetErrorMs: Number(this.#offset.errorNs) / 1e6,
      stateHashSource: this.#final?.stateHash ?? nothing,
      stateHashTarget: formatStateHash(this.#stateHash),
      stateHashSourceFull: null,
    };
  }
}
