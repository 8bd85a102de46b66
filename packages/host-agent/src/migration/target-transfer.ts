/**
 * The target's side of one migration: carries out what core/migration-target.ts decides. Pages go straight into the
 * RAM of a machine that waits in its worker; it runs when, and only when, the lease is ours. Its first steps, of which nobody hears
 * before that, it may take while the lease passes (vm/head-start.ts).
 */
import { MachineMemory } from '@skein/machine';
import {
  type Epoch,
  type ErrorCode,
  type GuestHistory,
  type MigrationFinal,
  type MigrationRecord,
  type migrationProtocol,
  OperationError,
  toProblem,
} from '@skein/shared';
import { type Failpoint, failpoint, type Link } from '@skein/transport';
import {
  stepTarget,
  type TargetEffect,
  type TargetEvent,
  type TargetState,
  targetStart,
} from '../core/migration-target.ts';
import { activateGuest, giveHeadStart } from './activate-guest.ts';
import { ArrivedState } from './arrived-state.ts';
import { Deadlines } from './deadlines.ts';
import { dialSource } from './dial-source.ts';
import { greetSource } from './greet-source.ts';
import { LeaseReader } from './lease-reading.ts';
import { measureOffset } from './measure-offset.ts';
import { MemoryArrival } from './memory-arrival.ts';
import { formatStateHash } from './page-hashes.ts';
import { PageReceiver } from './page-receiver.ts';
import { cutReason, refusalCode } from './refusal-code.ts';
import { SourceBreach } from './source-breach.ts';
import { SourceHints } from './source-hints.ts';
import { askRecord, TargetLog, type Told } from './target-log.ts';
import {
  type TargetAssignment,
  type TransferEvent,
  type TransferInstruction,
  type TransferTraffic,
  transferTraffic,
} from './transfer-channel.ts';
import type { TransferLeases } from './transfer-leases.ts';
import { VmLink } from './vm-link.ts';
import { WhenQuiet } from './when-quiet.ts';

const requestDeadlineMs = 3000;

export class TargetTransfer {
  readonly #assignment: TargetAssignment;
  readonly #tell: (event: TransferEvent) => void;
  readonly #hold: (place: Failpoint) => void;
  readonly #vm: VmLink;
  readonly #receiver: PageReceiver;
  readonly #log: TargetLog;
  readonly #leases: TransferLeases;
  readonly #reader: LeaseReader;
  readonly #deadlines = new Deadlines();
  readonly #quiet = new WhenQuiet(() => this.#acknowledgeRest());
  #link: Link<typeof migrationProtocol, 'dialer'> | null = null;
  #state: TargetState = targetStart;
  #hasHistory = false;
  readonly #traffic: TransferTraffic;
  readonly #memory: MachineMemory;
  readonly #arrival: MemoryArrival;
  readonly #arrived: ArrivedState;
  readonly #hints: SourceHints;
  readonly #closed = Promise.withResolvers<void>();
  readonly #breach = new SourceBreach({
    link: () => this.#link,
    feed: (event, code) => this.#feed(event, code),
  });
  /** Of the state's reason. */
  #code: ErrorCode | null = null;
  /** The source said what completes the state: no page is due any more before the commit. */
  #hasFinal = false;

  /** `hold`: of a rehearsal, which nobody wants to hold, another. */
  constructor(
    assignment: TargetAssignment,
    tell: (event: TransferEvent) => void,
    leases: TransferLeases,
    hold: (place: Failpoint) => void = failpoint,
  ) {
    this.#hold = hold;
    this.#assignment = assignment;
    this.#tell = tell;
    this.#memory = new MachineMemory(assignment.core, assignment.memory, assignment.memoryMib);
    this.#vm = new VmLink(assignment.vmPort, this.#memory);
    this.#arrival = new MemoryArrival(this.#memory);
    this.#vm.onCall((call) => {
      if (call.type !== 'code-used')
        this.#arrival.hear(call, (page) => this.#link?.notify('pages.wanted', { pages: [page] }));
    });
    this.#receiver = new PageReceiver(assignment.core, this.#memory);
    this.#hints = new SourceHints({
      vm: this.#vm,
      memory: this.#memory,
      receiver: this.#receiver,
      breach: this.#breach,
      areDue: () => this.#areHintsDue,
    });
    this.#arrived = new ArrivedState({
      vm: this.#vm,
      memory: this.#memory,
      receiver: this.#receiver,
      arrival: this.#arrival,
    });
    this.#traffic = transferTraffic(assignment.traffic);
    this.#log = new TargetLog(assignment);
    this.#leases = leases;
    this.#reader = new LeaseReader({
      assignment,
      leases,
      deadlines: this.#deadlines,
      feed: (event) => this.#feed(event),
      isDue: () => this.#state.phase === 'resolving',
    });
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
      const { code, message } = toProblem(error);
      this.#feed({ type: 'cancelled', reason: message }, refusalCode(code));
    }
  }

  /** Resolves when it has ended, and nothing is open any more. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  instruct(instruction: TransferInstruction): void {
    if (instruction.type === 'cancel') this.#feed({ type: 'cancelled', reason: instruction.reason });
    if (instruction.type === 'source-aborted')
      this.#feed({ type: 'source-aborted', reason: instruction.reason });
    if (instruction.type === 'peer-lost') {
      this.#feed({ type: 'link-lost', reason: instruction.reason });
      this.#link?.close(instruction.reason);
    }
  }

  /** `code`: of the event's reason. */
  #feed(event: TargetEvent, code: ErrorCode | null = null): void {
    const before = this.#state;
    const { state, effects } = stepTarget(before, cutReason(event));
    this.#state = state;
    if (state.reason !== before.reason) this.#code = code;
    for (const effect of effects) this.#carryOut(effect);
  }

  #carryOut(effect: TargetEffect): void {
    switch (effect) {
      case 'say-ready':
      case 'say-refused':
        break; // The answer to the source's request says it.
      case 'read-lease':
        this.#reader.begin();
        break;
      case 'read-lease-later':
        this.#reader.again();
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
        if (this.#state.phase === 'aborted') this.#end(false, this.#ownRecord());
        break;
    }
  }

  async #connect(): Promise<Link<typeof migrationProtocol, 'dialer'>> {
    const link = await dialSource(this.#assignment, this.#receiver.socketBuffer, {
      requests: {
        'migration.final': (final) => this.#verify(final),
        'migration.history': (history) => this.#hearHistory(history),
      },
      notices: {
        'migration.code': ({ usedCode }) => this.#hints.hearUsedCode(usedCode),
        'pages.coming': ({ firstPage, pages }) => this.#hints.hearComing(firstPage, pages),
        'migration.state': ({ state }) => this.#prepare(state),
        'migration.granted': ({ epoch }) => this.#granted(epoch),
        'migration.aborted': ({ code, reason }) =>
          this.#feed({ type: 'source-aborted', reason }, refusalCode(code)),
      },
    });
    this.#link = link;
    if (this.#state.phase === 'aborted') {
      // It came when the migration was over already.
      link.close('the migration ended');
      throw this.#over();
    }
    void link.closed.then(({ code, message }) => {
      this.#arrival.ended(message);
      const reason = `the link to the source on the migration network ended: ${message}`;
      this.#feed({ type: 'link-lost', reason }, refusalCode(code));
    });
    link.onBulk = (frame) => this.#apply(frame);
    await greetSource(link, this.#assignment, requestDeadlineMs);
    this.#log.offset = await measureOffset(link);
    return link;
  }

  #apply(frame: Uint8Array): void {
    if (this.#state.phase === 'aborted') return;
    if (!this.#arePagesDue) {
      this.#breach.byNotice('migration.out-of-turn', 'pages came where none are due');
      return;
    }
    const applied = this.#receiver.apply(frame);
    if (applied.kind === 'refused') {
      this.#breach.byNotice(applied.code, applied.reason);
      return;
    }
    this.#traffic.add('receivedBytes', frame.length);
    this.#arrival.applied();
    this.#hints.pagesCame();
    // Also when nothing more is on its way: the source waits for the end of a round.
    const bytes = applied.acknowledgeBytes;
    if (bytes > 0) this.#link?.notify('pages.applied', { bytes });
    else this.#quiet.stir();
  }

  /** Until the final message; from then on only those that it named as missing, as long as one is. */
  get #arePagesDue(): boolean {
    const { phase } = this.#state;
    if (phase === 'receiving') return !this.#hasFinal;
    return phase !== 'connecting' && this.#arrival.isFollowing && this.#memory.missingPages > 0;
  }

  #acknowledgeRest(): void {
    const bytes = this.#receiver.flush();
    if (bytes > 0) this.#link?.notify('pages.applied', { bytes });
  }

  /** Before the guest's state comes. */
  get #areHintsDue(): boolean | null {
    const { phase } = this.#state;
    return phase === 'aborted' ? null : phase === 'receiving' && !this.#arrived.hasCome;
  }

  #prepare(state: Uint8Array): void {
    if (this.#state.phase === 'aborted') return;
    if (this.#arrived.hasCome || this.#state.phase !== 'receiving') {
      this.#breach.byNotice('migration.out-of-turn', 'the state of CPU and devices came where none is due');
      return;
    }
    this.#arrived.prepare(state);
  }

  /** Told beside the final message, before the source passes the lease. */
  #hearHistory(history: GuestHistory): Record<string, never> {
    const { phase } = this.#state;
    if (phase === 'aborted') throw this.#over();
    if (this.#hasHistory || (phase !== 'receiving' && phase !== 'ready'))
      throw this.#breach.byRequest('migration.out-of-turn', "the guest's history came where none is due");
    this.#hasHistory = true;
    this.#tell({ type: 'history-told', history });
    return {};
  }

  /** The source says that the lease is ours. A second time is one too many: the guest runs. */
  #granted(epoch: Epoch): void {
    const { phase } = this.#state;
    if (phase === 'aborted') return;
    if (phase !== 'ready' && phase !== 'resolving') {
      this.#breach.byNotice('migration.out-of-turn', 'the source grants the lease where it is not awaited');
      return;
    }
    const due = this.#assignment.command.epoch + 1;
    if (epoch !== due) {
      this.#breach.byNotice('epoch.stale', `the source grants epoch ${epoch}, where ${due} is next`);
      return;
    }
    this.#log.grantedAtNs = process.hrtime.bigint();
    this.#feed({ type: 'granted' });
  }

  /** All pages were applied before this message, in order. @throws OperationError migration.hash-mismatch */
  async #verify(final: MigrationFinal): Promise<{ stateHashTarget: string; readyAtNs: bigint }> {
    if (this.#state.phase === 'aborted') throw this.#over();
    if (this.#hasFinal || this.#state.phase !== 'receiving')
      throw this.#breach.byRequest('migration.out-of-turn', 'the final message came where none is due');
    this.#hasFinal = true;
    this.#hold('migration.verify.before');
    const problem = await this.#arrived.compare(final);
    this.#log.stateHash = this.#arrived.hash;
    if (problem !== null) {
      this.#feed({ type: 'final-mismatched', reason: problem.message }, problem.code);
      throw new OperationError(problem);
    }
    if (this.#state.phase !== 'receiving') throw this.#over();
    this.#log.final = final;
    this.#log.readyAtNs = process.hrtime.bigint();
    this.#feed({ type: 'final-verified' });
    this.#hold('migration.verify.after');
    // Behind the answer, for which the source waits.
    setImmediate(() => this.#useTheWait(final));
    return { stateHashTarget: formatStateHash(this.#log.stateHash), readyAtNs: this.#log.readyAtNs };
  }

  /** The lease is on its way, and the vCPU has nothing else to do. */
  #useTheWait(final: MigrationFinal): void {
    if (this.#state.phase !== 'ready') return;
    const { offsetNs } = this.#log.offset;
    if (this.#arrival.isFollowing) this.#hints.memoryCame();
    else giveHeadStart({ vm: this.#vm, final, offsetNs });
  }

  #over(): OperationError {
    return new OperationError({
      code: this.#code ?? 'migration.aborted',
      message: this.#state.reason ?? 'the target gave up',
    });
  }

  async #resume(): Promise<void> {
    const final = this.#log.final;
    if (final === null)
      throw new OperationError({ code: 'internal', message: 'committed without a verified state' });
    this.#hold('migration.resume.before');
    const { offsetNs } = this.#log.offset;
    const activated = activateGuest(this.#assignment, {
      vm: this.#vm,
      final,
      readyAtNs: this.#log.readyAtNs,
      offsetNs,
    });
    const epoch = this.#assignment.command.epoch + 1;
    this.#tell({ type: 'committed', epoch });
    const { atNs, ahead } = await activated;
    this.#log.ahead = ahead;
    this.#hold('migration.resume.after');
    this.#deadlines.clear();
    const lost = await this.#arrival.whole();
    if (lost !== null) {
      this.#lostMemory(lost);
      return;
    }
    this.#log.stateHash = this.#arrived.hash;
    const times = this.#log.times(atNs, ahead, this.#arrival.waits);
    const outcome = { outcome: 'committed', reason: null, code: null, epochAfter: epoch } as const;
    const record = (await askRecord(this.#link, times, this.#assignment)) ?? this.#ownRecord(outcome);
    this.#feed({ type: 'vm-resumed' });
    this.#end(true, record);
  }

  /** After the commit: the guest cannot go on here, nor anywhere else; it is started anew like that of a lost host. */
  #lostMemory(reason: string): void {
    const message = `${this.#memory.missingPages} pages of its memory were lost with ${this.#assignment.command.sourceHost}: ${reason}`;
    const epochAfter = this.#assignment.command.epoch + 1;
    this.#feed({ type: 'vm-resumed' });
    const code = 'migration.memory-lost';
    this.#end(true, this.#ownRecord({ outcome: 'committed', reason: message, code, epochAfter }), true);
  }

  #end(isCommitted: boolean, record: MigrationRecord, isMemoryLost = false): void {
    this.#deadlines.clear();
    this.#tell({ type: 'ended', isCommitted, mustStop: !isCommitted || isMemoryLost, record });
    // Later, as everything that can wait: the guest has just arrived.
    setTimeout(() => void this.#close(), 200);
  }

  async #close(): Promise<void> {
    this.#leases.close();
    this.#link?.close('the migration ended');
    await this.#link?.closed;
    this.#vm.close();
    this.#closed.resolve();
  }

  #ownRecord(told: Partial<Told> = {}): MigrationRecord {
    return this.#log.record({
      mode: this.#arrival.isFollowing ? 'post-copy' : 'pre-copy',
      outcome: 'aborted',
      reason: this.#state.reason,
      code: this.#code,
      epochAfter: this.#assignment.command.epoch,
      ...told,
    });
  }
}
