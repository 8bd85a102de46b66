/**
 * The source's side of one migration: carries out what core/migration-source.ts decides, on a transfer worker's
 * thread beside the running vCPU. It serves the migration socket (the target dials, so that bulk is unmasked), and
 * it passes the lease, which is the commit.
 */
import { addHashes, MachineMemory } from '@skein/machine';
import {
  type Epoch,
  type ErrorCode,
  type MigrationRecord,
  OperationError,
  type TargetTimes,
  toProblem,
} from '@skein/shared';
import { type Failpoint, failpoint } from '@skein/transport';
import {
  isOver,
  type SourceEffect,
  type SourceEvent,
  type SourceState,
  sourceStart,
  stepSource,
} from '../core/migration-source.ts';
import { VmControlBlock } from '../vm/control-block.ts';
import type { TransferCall } from '../vm/vm-channel.ts';
import { CopyRounds } from './copy-rounds.ts';
import { Deadlines } from './deadlines.ts';
import { frozenHash } from './frozen-hash.ts';
import { FrozenMemory } from './frozen-memory.ts';
import { LeasePass } from './lease-pass.ts';
import { MigrationLog } from './migration-log.ts';
import { PageSender } from './page-sender.ts';
import { cutReason, refusalCode } from './refusal-code.ts';
import { RoundTeller } from './round-teller.ts';
import { SourcePort, type TransferLink } from './source-port.ts';
import { type ConnectedTarget, StopAndCopy } from './stop-and-copy.ts';
import {
  type SourceAssignment,
  type TransferEvent,
  type TransferInstruction,
  type TransferTraffic,
  transferTraffic,
} from './transfer-channel.ts';
import type { TransferLeases } from './transfer-leases.ts';
import { VmLink } from './vm-link.ts';

const connectDeadlineMs = 10_000;
const resumedDeadlineMs = 5_000;
/**
 * Behind the commit, when the guest has said its first words at the target: until then this host's threads (its main one, switch, leases) would take the
 * cores for what can wait. The copy here has no right to run or to send from the commit on, and the announcement of its new place shuts its ports.
 */
const leftBehindMs = 10;

export class SourceTransfer {
  readonly #assignment: SourceAssignment;
  readonly #tell: (event: TransferEvent) => void;
  readonly #hold: (place: Failpoint) => void;
  readonly #memory: MachineMemory;
  readonly #vm: VmLink;
  readonly #control: VmControlBlock;
  readonly #log: MigrationLog;
  readonly #leases: TransferLeases;
  readonly #pass: LeasePass;
  readonly #deadlines = new Deadlines();
  readonly #resumed = Promise.withResolvers<TargetTimes | null>();
  readonly #closedRecord = Promise.withResolvers<MigrationRecord>();
  readonly #port: SourcePort;
  #link: TransferLink | null = null;
  #sender: PageSender | null = null;
  #rounds: CopyRounds | null = null;
  readonly #standing: StopAndCopy;
  readonly #frozen: FrozenMemory;
  readonly #teller: RoundTeller;
  readonly #closed = Promise.withResolvers<void>();
  readonly #traffic: TransferTraffic;
  #state: SourceState = sourceStart;
  #mustStop = false;
  #hasToldCommitted = false;
  /** Of the state's reason. */
  #code: ErrorCode | null = null;

  /** `hold`: of a rehearsal, which nobody wants to hold, another. */
  constructor(
    assignment: SourceAssignment,
    tell: (event: TransferEvent) => void,
    leases: TransferLeases,
    hold: (place: Failpoint) => void = failpoint,
  ) {
    this.#hold = hold;
    this.#assignment = assignment;
    this.#tell = tell;
    this.#memory = new MachineMemory(assignment.core, assignment.memory, assignment.memoryMib);
    this.#vm = new VmLink(assignment.vmPort, this.#memory);
    this.#vm.onCall((call) => this.#hearCall(call));
    this.#log = new MigrationLog(assignment.command, assignment.host, assignment.memoryMib);
    this.#control = new VmControlBlock(assignment.control);
    this.#standing = new StopAndCopy({
      vm: this.#vm,
      log: this.#log,
      hold,
      onStanding: () => tell({ type: 'history-wanted' }),
    });
    this.#frozen = new FrozenMemory(this.#log);
    this.#teller = new RoundTeller({
      log: this.#log,
      control: this.#control,
      tell,
      current: () => (this.#state.phase === 'pre-copy' ? (this.#sender?.progress ?? null) : null),
    });
    this.#leases = leases;
    this.#traffic = transferTraffic(assignment.traffic);
    this.#pass = new LeasePass(this.#leases, assignment.command, assignment.host);
    this.#port = new SourcePort({
      assignment,
      memoryPages: this.#memory.pages,
      state: () => this.#state,
      feed: (event, code) => this.#feed(event, code),
      onTarget: (link) => this.#adoptLink(link),
      onBegin: () => this.#hold('migration.pre-copy.before'),
      onApplied: (bytes) => this.#applied(bytes),
      onWanted: (pages) => this.#want(pages),
      onResumed: (times) => {
        this.#resumed.resolve(times);
        return this.#closedRecord.promise;
      },
    });
  }

  async start(): Promise<void> {
    const { command } = this.#assignment;
    const listening = await this.#port.listen();
    this.#deadlines.set('connect', connectDeadlineMs, () => {
      if (this.#state.phase === 'connecting')
        this.#feed({ type: 'cancelled', reason: 'the target did not connect in time' });
    });
    this.#deadlines.set('whole', command.settings.deadlineMs, () => {
      this.#feed({ type: 'cancelled', reason: `not committed within ${command.settings.deadlineMs} ms` });
    });
    this.#tell({ type: 'listening', ...listening });
  }

  /** Resolves when it has ended, and nothing is open any more. */
  get closed(): Promise<void> {
    return this.#closed.promise;
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
        this.#standing.hearHistory(instruction.history);
        break;
    }
  }

  /** `code`: of the event's reason. */
  #feed(event: SourceEvent, code: ErrorCode | null = null): void {
    const before = this.#state;
    const { state, effects } = stepSource(before, cutReason(event));
    this.#state = state;
    if (state.reason !== before.reason) this.#code = code;
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
        this.#link?.notify('migration.granted', { epoch: this.#log.epochAfter });
        break;
      case 'resume-vm':
        this.#control.throttlePercent = 0;
        void this.#vm.ask({ type: 'resume' }, 'resumed').catch((error: unknown) => this.#fail(error));
        break;
      case 'tell-target':
        this.#link?.notify('migration.aborted', {
          code: this.#code ?? 'migration.aborted',
          reason: this.#state.reason ?? 'aborted',
        });
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

  #adoptLink(link: TransferLink): void {
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
    void link.closed.then(({ code, message }) => {
      this.#resumed.resolve(null);
      const reason = `the link to the target on the migration network ended: ${message}`;
      this.#feed({ type: 'link-lost', reason }, refusalCode(code));
    });
  }

  #applied(bytes: number): boolean {
    if (this.#sender?.acknowledged(bytes) !== true) return false;
    this.#traffic.add('sentBytes', bytes);
    return true;
  }

  /** While it would be downtime nothing is sent that the target can do without. */
  #hearCall(call: TransferCall): void {
    if (call.type === 'code-used' && this.#state.phase === 'pre-copy')
      this.#link?.notify('migration.code', { usedCode: call.usedCode });
  }

  #want(pages: readonly number[]): boolean {
    if (this.#standing.missing === null) return false;
    this.#frozen.want(pages);
    return true;
  }

  async #sendRound(): Promise<void> {
    const { rounds } = this.#requireTarget();
    const { next, remainingPages } = await this.#teller.during(rounds.precopy());
    this.#teller.ended(remainingPages);
    if (next === 'give-up')
      this.#feed(
        { type: 'cancelled', reason: this.#log.describeNoConvergence() },
        'migration.not-converging',
      );
    else this.#feed({ type: 'round-ended', next });
  }

  async #suspend(): Promise<void> {
    await this.#standing.suspend();
    this.#feed({ type: 'suspended' });
  }

  async #sendFinal(): Promise<void> {
    const problem = await this.#standing.send(this.#requireTarget());
    if (problem === null) this.#feed({ type: 'target-ready' });
    else this.#feed({ type: 'target-refused', reason: problem.message }, refusalCode(problem.code));
  }

  async #passLease(): Promise<void> {
    const outcome = await this.#pass.pass();
    this.#hold('migration.lease-pass.after');
    if (outcome.kind === 'granted') {
      this.#committed(outcome.epoch);
      this.#feed({ type: 'pass-granted' });
    } else if (outcome.kind === 'refused') this.#feed({ type: 'pass-refused', reason: outcome.reason });
    else this.#feed({ type: 'pass-unanswered' });
  }

  async #reassertLease(): Promise<void> {
    const settled = await this.#pass.settle();
    if (settled === null) return;
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
    this.#control.revoke();
    this.#deadlines.clear();
    this.#deadlines.set('left-behind', leftBehindMs, () => this.#tellCommitted());
  }

  /** Once, before the migration's end is told. */
  #tellCommitted(): void {
    if (this.#hasToldCommitted) return;
    this.#hasToldCommitted = true;
    this.#tell({ type: 'committed', epoch: this.#log.epochAfter });
  }

  /** Off the downtime path: the target gets what it misses, then the frozen RAM is hashed in full and compared. */
  async #rehash(): Promise<void> {
    const { missing, stateHash } = this.#standing;
    if (missing !== null) {
      const { sender, rounds } = this.#requireTarget();
      await this.#frozen.send(sender, missing, rounds.round);
      this.#log.stateHashSource = addHashes(sender.hashes.sum, stateHash);
    }
    this.#deadlines.set('resumed', resumedDeadlineMs, () => this.#resumed.resolve(null));
    this.#log.target = await this.#resumed.promise;
    this.#log.mark('endedNs');
    this.#log.stateHashSourceFull = addHashes(
      await frozenHash(this.#assignment.core, this.#memory),
      stateHash,
    );
    this.#closedRecord.resolve(this.#log.record());
    this.#feed({ type: 'memory-rehashed' });
  }

  #report(): void {
    this.#log.reason = this.#log.memoryLost ?? this.#state.reason;
    this.#log.code = this.#log.memoryLost === null ? this.#code : 'migration.memory-lost';
    this.#log.mark('endedNs');
    this.#deadlines.clear();
    const isCommitted = this.#log.outcome === 'committed';
    if (isCommitted) this.#tellCommitted();
    this.#tell({ type: 'ended', isCommitted, mustStop: this.#mustStop, record: this.#log.record() });
    this.#pass.stop();
    this.#leases.close();
    // What was said last must reach the target first.
    setTimeout(() => void this.#close(), 200);
  }

  async #close(): Promise<void> {
    await this.#port.close();
    this.#vm.close();
    this.#closed.resolve();
  }

  /** Before the pass any failure aborts; what comes after the end is an echo of it. */
  #attempt(effect: () => Promise<void>): void {
    effect().catch((error: unknown) => {
      const { code, message } = toProblem(error);
      if (!isOver(this.#state)) this.#feed({ type: 'cancelled', reason: message }, refusalCode(code));
    });
  }

  #fail(error: unknown): void {
    this.#tell({ type: 'failed', message: toProblem(error).message });
  }

  #requireTarget(): ConnectedTarget {
    if (this.#link === null || this.#rounds === null || this.#sender === null)
      throw new OperationError({ code: 'link.closed', message: 'no target is connected' });
    return { link: this.#link, rounds: this.#rounds, sender: this.#sender };
  }
}
