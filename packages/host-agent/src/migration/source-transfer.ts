/**
 * The source's side of one migration: carries out what core/migration-source.ts decides, on a transfer worker's
 * thread beside the running vCPU. It serves the migration socket (the target dials, so that bulk is unmasked), and
 * it passes the lease, which is the commit.
 */
import { addHashes, MachineMemory } from '@skein/machine';
import {
  type Epoch,
  type GuestHistory,
  type MigrationRecord,
  migrationProtocol,
  OperationError,
  type TargetTimes,
  toProblem,
} from '@skein/shared';
import { type Link, type Listener, listen } from '@skein/transport';
import {
  isOver,
  type SourceEffect,
  type SourceEvent,
  type SourceState,
  sourceStart,
  stepSource,
} from '../core/migration-source.ts';
import { VmControlBlock } from '../vm/control-block.ts';
import type { TransferReply } from '../vm/vm-channel.ts';
import { CopyRounds } from './copy-rounds.ts';
import { Deadlines } from './deadlines.ts';
import { FrozenMemory } from './frozen-memory.ts';
import { LeasePass } from './lease-pass.ts';
import { MigrationLog } from './migration-log.ts';
import { bitmapBytes } from './page-bitmap.ts';
import { formatStateHash } from './page-hashes.ts';
import { PageSender } from './page-sender.ts';
import {
  type SourceAssignment,
  type TransferEvent,
  type TransferInstruction,
  type TransferTraffic,
  transferTraffic,
} from './transfer-channel.ts';
import type { TransferLeases } from './transfer-leases.ts';
import { VmLink } from './vm-link.ts';

type Suspended = Extract<TransferReply, { type: 'suspended' }>;

const connectDeadlineMs = 10_000;
const finalDeadlineMs = 5_000;
const resumedDeadlineMs = 5_000;
const historyDeadlineMs = 100;

export class SourceTransfer {
  readonly #assignment: SourceAssignment;
  readonly #tell: (event: TransferEvent) => void;
  readonly #memory: MachineMemory;
  readonly #vm: VmLink;
  readonly #control: VmControlBlock;
  readonly #log: MigrationLog;
  readonly #leases: TransferLeases;
  readonly #pass: LeasePass;
  readonly #deadlines = new Deadlines();
  readonly #history = Promise.withResolvers<GuestHistory | null>();
  readonly #resumed = Promise.withResolvers<TargetTimes | null>();
  readonly #closedRecord = Promise.withResolvers<MigrationRecord>();
  #listener: Listener<typeof migrationProtocol> | null = null;
  #link: Link<typeof migrationProtocol, 'listener'> | null = null;
  #sender: PageSender | null = null;
  #rounds: CopyRounds | null = null;
  /** Pages that follow after the commit. */
  #missing: Uint32Array | null = null;
  readonly #frozen: FrozenMemory;
  readonly #traffic: TransferTraffic;
  #state: SourceState = sourceStart;
  #suspended: Suspended | null = null;
  #mustStop = false;

  constructor(assignment: SourceAssignment, tell: (event: TransferEvent) => void, leases: TransferLeases) {
    this.#assignment = assignment;
    this.#tell = tell;
    this.#memory = new MachineMemory(assignment.core, assignment.memory, assignment.memoryMib);
    this.#vm = new VmLink(assignment.vmPort, this.#memory);
    this.#log = new MigrationLog(assignment.command, assignment.host, assignment.memoryMib);
    this.#control = new VmControlBlock(assignment.control);
    this.#frozen = new FrozenMemory({ core: assignment.core, memory: this.#memory, log: this.#log });
    this.#leases = leases;
    this.#traffic = transferTraffic(assignment.traffic);
    this.#pass = new LeasePass(this.#leases, assignment.command, assignment.host);
  }

  async start(): Promise<void> {
    const { command, migrationAddress } = this.#assignment;
    this.#listener = await this.#listen();
    this.#deadlines.set('connect', connectDeadlineMs, () => {
      if (this.#state.phase === 'connecting')
        this.#feed({ type: 'cancelled', reason: 'the target did not connect in time' });
    });
    this.#deadlines.set('whole', command.settings.deadlineMs, () => {
      this.#feed({ type: 'cancelled', reason: `not committed within ${command.settings.deadlineMs} ms` });
    });
    this.#tell({ type: 'listening', address: migrationAddress, port: this.#listener.port });
  }

  instruct(instruction: TransferInstruction): void {
    switch (instruction.type) {
      case 'cancel':
        this.#feed({ type: 'cancelled', reason: instruction.reason });
        break;
      case 'peer-lost':
        this.#feed({ type: 'link-lost', reason: instruction.reason });
        this.#link?.close(instruction.reason);
        break;
      case 'lease-lost':
        this.#feed({ type: 'lease-lost', reason: instruction.reason });
        break;
      case 'history':
        this.#history.resolve(instruction.history);
        break;
    }
  }

  #feed(event: SourceEvent): void {
    const { state, effects } = stepSource(this.#state, event);
    this.#state = state;
    for (const effect of effects) this.#carryOut(effect);
  }

  #carryOut(effect: SourceEffect): void {
    switch (effect) {
      case 'send-round':
        this.#attempt(() => this.#sendRound());
        break;
      case 'suspend-vm':
        this.#attempt(() => this.#suspend());
        break;
      case 'send-final':
        this.#attempt(() => this.#sendFinal());
        break;
      case 'pass-lease':
        void this.#passLease();
        break;
      case 'reassert-lease':
        void this.#reassertLease();
        break;
      case 'forward-grant':
        void this.#forwardGrant();
        break;
      case 'resume-vm':
        this.#control.throttlePercent = 0;
        void this.#vm.ask({ type: 'resume' }, 'resumed').catch((error: unknown) => this.#fail(error));
        break;
      case 'tell-target':
        this.#link?.notify('migration.aborted', { reason: this.#state.reason ?? 'aborted' });
        break;
      case 'stop-vm':
        this.#mustStop = true;
        break;
      case 'rehash-memory':
        void this.#rehash();
        break;
      case 'free-vm':
        break;
      case 'report':
        this.#report();
        break;
    }
  }

  #listen(): Promise<Listener<typeof migrationProtocol>> {
    const { command, host, bootId, memoryMib, migrationAddress } = this.#assignment;
    return listen({
      host: migrationAddress,
      port: 0,
      protocol: migrationProtocol,
      own: { role: 'transfer', name: host, bootId },
      authentication: this.#assignment.authentication,
      admit: (peer) => {
        if (peer.name === command.targetHost && this.#link === null) return;
        throw new OperationError({ code: 'link.unauthenticated', message: 'this port serves one migration' });
      },
      handlers: {
        requests: {
          'migration.hello': (hello, link) => {
            if (
              hello.operation !== command.operation ||
              hello.vm !== command.vm ||
              hello.epoch !== command.epoch
            ) {
              throw new OperationError({
                code: 'epoch.stale',
                message: 'the target wants another migration',
              });
            }
            this.#adoptLink(link);
            return { memoryMib };
          },
          'migration.clock': () => ({ nowNs: process.hrtime.bigint() }),
          'migration.begin': () => {
            this.#feed({ type: 'target-connected' });
            return {};
          },
          'migration.resumed': async (times) => {
            this.#resumed.resolve(times);
            return { record: await this.#closedRecord.promise };
          },
        },
        notices: {
          'pages.wanted': ({ pages }) => this.#frozen.want(pages),
          'pages.applied': ({ bytes }) => {
            this.#sender?.acknowledged(bytes);
            this.#traffic.add('sentBytes', bytes);
          },
        },
      },
    });
  }

  #adoptLink(link: Link<typeof migrationProtocol, 'listener'>): void {
    if (this.#link !== null)
      throw new OperationError({ code: 'link.unauthenticated', message: 'this port serves one target' });
    this.#link = link;
    const { core, command } = this.#assignment;
    this.#sender = new PageSender(core, this.#memory, link, command.settings);
    this.#rounds = new CopyRounds({
      memory: this.#memory,
      vm: this.#vm,
      log: this.#log,
      sender: this.#sender,
      settings: this.#assignment.command.settings,
      control: this.#control,
    });
    void link.closed.then((reason) => {
      this.#resumed.resolve(null);
      this.#feed({
        type: 'link-lost',
        reason: `the link to the target on the migration network ended: ${reason.message}`,
      });
    });
  }

  async #sendRound(): Promise<void> {
    const { rounds } = this.#requireTarget();
    const { next, remainingPages } = await rounds.precopy();
    this.#progress('pre-copy', remainingPages);
    if (next === 'give-up') this.#feed({ type: 'cancelled', reason: this.#describeNoConvergence() });
    else this.#feed({ type: 'round-ended', next });
  }

  #describeNoConvergence(): string {
    const last = this.#log.rounds.at(-1);
    const { downtimeBudgetMs } = this.#assignment.command.settings;
    return `it does not converge: after ${this.#log.rounds.length} rounds the rest would take ${Math.round(last?.predictedDowntimeMs ?? 0)} ms of downtime, allowed are ${downtimeBudgetMs}, with the vCPU slowed by ${last?.throttlePercent ?? 0} %`;
  }

  async #suspend(): Promise<void> {
    this.#log.mark('suspendRequestedNs');
    this.#suspended = await this.#vm.ask({ type: 'suspend' }, 'suspended');
    this.#log.moments.suspendedNs = this.#suspended.suspendedAtNs;
    this.#tell({ type: 'history-wanted' });
    this.#feed({ type: 'suspended' });
  }

  async #sendFinal(): Promise<void> {
    const suspended = this.#suspended;
    const link = this.#link;
    const { rounds, sender } = this.#requireTarget();
    if (suspended === null || link === null)
      throw new OperationError({ code: 'internal', message: 'not suspended' });
    link.notify('migration.state', { state: suspended.state });
    this.#missing = await rounds.last();
    this.#log.stateHashSource = addHashes(sender.hashes.sum, suspended.stateHash);
    const answer = link.request(
      'migration.final',
      {
        stateHash: formatStateHash(this.#log.stateHashSource),
        guestTicks: suspended.guestTicks,
        suspendedAtNs: suspended.suspendedAtNs,
        batches: sender.batches,
        missing: this.#missing === null ? null : bitmapBytes(this.#missing),
      },
      { deadlineMs: finalDeadlineMs },
    );
    this.#log.mark('finalSentNs');
    const refusal = await answer.then(
      () => null,
      (error: unknown) => toProblem(error).message,
    );
    this.#log.mark('readyHeardNs');
    if (refusal === null) this.#feed({ type: 'target-ready' });
    else this.#feed({ type: 'target-refused', reason: refusal });
  }

  async #passLease(): Promise<void> {
    const outcome = await this.#pass.pass();
    if (outcome.kind === 'granted') {
      this.#committed(outcome.epoch);
      this.#feed({ type: 'pass-granted' });
    } else if (outcome.kind === 'refused') this.#feed({ type: 'pass-refused', reason: outcome.reason });
    else this.#feed({ type: 'pass-unanswered' });
  }

  async #reassertLease(): Promise<void> {
    const settled = await this.#pass.settle();
    if (settled.kind === 'targets') {
      this.#committed(settled.epoch);
      this.#feed({ type: 'lease-is-targets' });
    } else if (settled.kind === 'reasserted') {
      this.#tell({ type: 'reasserted', epoch: settled.epoch });
      this.#feed({ type: 'lease-reasserted' });
    } else this.#feed({ type: 'lease-is-anothers', reason: settled.reason });
  }

  #committed(epoch: Epoch): void {
    this.#log.epochAfter = epoch;
    this.#log.mark('passedNs');
    this.#log.outcome = 'committed';
    this.#deadlines.clear();
    this.#tell({ type: 'committed', epoch: this.#log.epochAfter, history: null });
  }

  async #forwardGrant(): Promise<void> {
    const late = new Promise<null>((resolve) => setTimeout(() => resolve(null), historyDeadlineMs));
    const history = await Promise.race([this.#history.promise, late]);
    this.#link?.notify('migration.granted', { epoch: this.#log.epochAfter, history });
  }

  /** Off the downtime path: the target gets what it misses, then the frozen RAM is hashed in full and compared. */
  async #rehash(): Promise<void> {
    const stateHash = this.#suspended?.stateHash ?? 0n;
    if (this.#missing !== null) {
      const { sender, rounds } = this.#requireTarget();
      await this.#frozen.send(sender, this.#missing, rounds.round);
      this.#log.stateHashSource = addHashes(sender.hashes.sum, stateHash);
    }
    this.#deadlines.set('resumed', resumedDeadlineMs, () => this.#resumed.resolve(null));
    this.#log.target = await this.#resumed.promise;
    this.#log.mark('endedNs');
    this.#log.stateHashSourceFull = addHashes(await this.#frozen.hash(), stateHash);
    this.#closedRecord.resolve(this.#log.record());
    this.#feed({ type: 'memory-rehashed' });
  }

  #report(): void {
    this.#log.reason = this.#log.memoryLost ?? this.#state.reason;
    this.#log.mark('endedNs');
    this.#deadlines.clear();
    const isCommitted = this.#log.outcome === 'committed';
    this.#tell({ type: 'ended', isCommitted, mustStop: this.#mustStop, record: this.#log.record() });
    this.#leases.close();
    // What was said last must reach the target first.
    setTimeout(() => void this.#listener?.close(), 200);
  }

  /** Before the pass any failure aborts; what comes after the end is an echo of it. */
  #attempt(effect: () => Promise<void>): void {
    effect().catch((error: unknown) => {
      if (!isOver(this.#state)) this.#feed({ type: 'cancelled', reason: toProblem(error).message });
    });
  }

  #fail(error: unknown): void {
    this.#tell({ type: 'failed', message: toProblem(error).message });
  }

  /** What there is once a target has connected. */
  #requireTarget(): { readonly rounds: CopyRounds; readonly sender: PageSender } {
    if (this.#rounds === null || this.#sender === null)
      throw new OperationError({ code: 'link.closed', message: 'no target is connected' });
    return { rounds: this.#rounds, sender: this.#sender };
  }

  #progress(phase: 'pre-copy' | 'stop-and-copy', pagesRemaining: number): void {
    const { operation, vm } = this.#assignment.command;
    const sum = (pick: (round: { pages: number; bytes: number }) => number): number =>
      this.#log.rounds.reduce((total, round) => total + pick(round), 0);
    this.#tell({
      type: 'progress',
      progress: {
        operation,
        vm,
        phase,
        round: this.#log.rounds.length,
        pagesSent: sum(({ pages }) => pages),
        pagesRemaining,
        bytes: sum(({ bytes }) => bytes),
        throttlePercent: this.#control.throttlePercent,
        lastRound: this.#log.rounds.at(-1) ?? null,
      },
    });
  }
}
