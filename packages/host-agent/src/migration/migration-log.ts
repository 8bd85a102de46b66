/** What the source notes while a migration runs, and the record that it becomes. Times are of one monotonic clock. */
import type {
  ErrorCode,
  MigrationMoments,
  MigrationProgress,
  MigrationRecord,
  MigrationRound,
  MigrationSourceCommand,
  Postcopy,
  PrecopyEnd,
  RoundOutcome,
  TargetTimes,
} from '@skein/shared';
import { formatStateHash } from './page-hashes.ts';

export interface Moments {
  startedNs: bigint;
  suspendRequestedNs?: bigint;
  suspendedNs?: bigint;
  lastPagesSentNs?: bigint;
  finalSentNs?: bigint;
  readyHeardNs?: bigint;
  passedNs?: bigint;
  endedNs?: bigint;
}

export class MigrationLog {
  readonly rounds: MigrationRound[] = [];
  readonly moments: Moments = { startedNs: process.hrtime.bigint() };
  outcome: MigrationRecord['outcome'] = 'aborted';
  reason: string | null = null;
  code: ErrorCode | null = null;
  /** Why pages could not follow: the guest at the target cannot go on. */
  memoryLost: string | null = null;
  precopyEnd: PrecopyEnd | null = null;
  postcopy: Postcopy | null = null;
  /** Of the pages that would have followed. */
  freePagesLeftOut = 0;
  epochAfter: number;
  stateHashSource = 0n;
  stateHashSourceFull: bigint | null = null;
  target: TargetTimes | null = null;
  readonly #command: MigrationSourceCommand;
  readonly #from: string;
  readonly #memoryMib: number;

  constructor(command: MigrationSourceCommand, from: string, memoryMib: number) {
    this.#command = command;
    this.#from = from;
    this.#memoryMib = memoryMib;
    this.epochAfter = command.epoch;
  }

  mark(moment: Exclude<keyof Moments, 'startedNs'>): void {
    this.moments[moment] ??= process.hrtime.bigint();
  }

  /** Since the migration began. */
  get elapsedMs(): number {
    return milliseconds(this.moments.startedNs, process.hrtime.bigint());
  }

  get outcomes(): readonly RoundOutcome[] {
    return this.rounds;
  }

  progress(
    now: Pick<MigrationProgress, 'phase' | 'pagesRemaining' | 'throttlePercent' | 'currentRound'>,
  ): MigrationProgress {
    const { operation, vm } = this.#command;
    const { currentRound } = now;
    return {
      operation,
      vm,
      ...now,
      round: currentRound?.round ?? this.rounds.length,
      pagesSent: this.rounds.reduce((total, { pages }) => total + pages, currentRound?.pages ?? 0),
      bytes: this.rounds.reduce((total, { bytes }) => total + bytes, currentRound?.bytes ?? 0),
      lastRound: this.rounds.at(-1) ?? null,
    };
  }

  describeNoConvergence(): string {
    const last = this.rounds.at(-1);
    const { downtimeBudgetMs } = this.#command.settings;
    return `it does not converge: after ${this.rounds.length} rounds the rest would take ${Math.round(last?.predictedDowntimeMs ?? 0)} ms of downtime, allowed are ${downtimeBudgetMs}, with the vCPU slowed by ${last?.throttlePercent ?? 0} %`;
  }

  record(): MigrationRecord {
    const { moments, target, rounds } = this;
    const endedNs = moments.endedNs ?? process.hrtime.bigint();
    const suspendedNs = moments.suspendRequestedNs;
    const committedNs = moments.passedNs;
    const sum = (pick: (round: MigrationRound) => number): number =>
      rounds.reduce((total, round) => total + pick(round), 0);
    return {
      operation: this.#command.operation,
      vm: this.#command.vm,
      from: this.#from,
      to: this.#command.targetHost,
      mode: this.#command.settings.mode,
      outcome: this.outcome,
      reason: this.reason,
      code: this.code,
      epochBefore: this.#command.epoch,
      epochAfter: this.epochAfter,
      phases: {
        precopyMs: milliseconds(moments.startedNs, suspendedNs ?? endedNs),
        stopAndCopyMs: milliseconds(suspendedNs, committedNs),
        postcopyMs: milliseconds(committedNs, endedNs),
      },
      settings: this.#command.settings,
      rounds,
      precopyEnd: this.precopyEnd,
      postcopy: this.postcopy === null ? null : { ...this.postcopy, ...waitsOf(target) },
      ahead: target?.ahead ?? null,
      moments: this.#moments(),
      memoryMib: this.#memoryMib,
      pages: sum((round) => round.pages) + (this.postcopy?.pages ?? 0) + (this.postcopy?.freePages ?? 0),
      zeroPages: sum((round) => round.zeroPages),
      freePages: sum((round) => round.freePages) + (this.postcopy?.freePages ?? 0),
      deltaPages: sum((round) => round.deltaPages),
      bytes: sum((round) => round.bytes) + (this.postcopy?.bytes ?? 0),
      uncompressedBytes: sum((round) => round.uncompressedBytes) + (this.postcopy?.uncompressedBytes ?? 0),
      throttlePercentMax: Math.max(0, ...rounds.map((round) => round.throttlePercent)),
      totalMs: milliseconds(moments.startedNs, endedNs),
      downtimeMs: this.#downtimeMs(),
      downtime: this.#downtimeParts(),
      clockOffsetMs: Number(target?.clockOffsetNs ?? 0n) / 1e6,
      clockOffsetErrorMs: Number(target?.clockOffsetErrorNs ?? 0n) / 1e6,
      stateHashSource: formatStateHash(this.stateHashSource),
      stateHashTarget: target?.stateHashTarget ?? formatStateHash(0n),
      stateHashSourceFull:
        this.stateHashSourceFull === null ? null : formatStateHash(this.stateHashSourceFull),
    };
  }

  /** The target's moments on the source's clock. */
  #onOurClock(ns: bigint | undefined): bigint | undefined {
    return ns === undefined ? undefined : ns - (this.target?.clockOffsetNs ?? 0n);
  }

  #moments(): MigrationMoments {
    const { moments, target } = this;
    const since = (ns: bigint | undefined): number | null =>
      ns === undefined ? null : Number(ns - moments.startedNs) / 1e6;
    return {
      suspendRequestedMs: since(moments.suspendRequestedNs),
      suspendedMs: since(moments.suspendedNs),
      lastPagesSentMs: since(moments.lastPagesSentNs),
      finalSentMs: since(moments.finalSentNs),
      readyMs: since(this.#onOurClock(target?.readyAtNs)),
      readyHeardMs: since(moments.readyHeardNs),
      passedMs: since(moments.passedNs),
      grantedMs: since(this.#onOurClock(target?.grantedAtNs)),
      resumedMs: since(this.#onOurClock(target?.resumedAtNs)),
      endedMs: since(moments.endedNs),
    };
  }

  #downtimeMs(): number {
    return milliseconds(this.moments.suspendedNs, this.#onOurClock(this.target?.resumedAtNs));
  }

  #downtimeParts(): MigrationRecord['downtime'] {
    const { moments } = this;
    return {
      boundaryWaitMs: milliseconds(moments.suspendRequestedNs, moments.suspendedNs),
      lastPagesMs: milliseconds(moments.suspendedNs, moments.lastPagesSentNs),
      stateMs: milliseconds(moments.lastPagesSentNs, moments.finalSentNs),
      verifyMs: milliseconds(moments.finalSentNs, moments.readyHeardNs),
      leasePassMs: milliseconds(moments.readyHeardNs, moments.passedNs),
      resumeMs: milliseconds(moments.passedNs, this.#onOurClock(this.target?.resumedAtNs)),
    };
  }
}

function waitsOf(target: TargetTimes | null): Pick<Postcopy, 'waitMs' | 'waitMsMax'> {
  return { waitMs: target?.waits.waitMs ?? 0, waitMsMax: target?.waits.waitMsMax ?? 0 };
}

/** 0 where one of the moments never came. Never negative: the clocks' offset has an error. */
function milliseconds(from: bigint | undefined, to: bigint | undefined): number {
  if (from === undefined || to === undefined) return 0;
  return Math.max(0, Number(to - from) / 1e6);
}
