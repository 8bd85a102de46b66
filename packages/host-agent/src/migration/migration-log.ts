/** What the source notes while a migration runs, and the record that it becomes. Times are of one monotonic clock. */
import type { MigrationRecord, MigrationRound, MigrationSourceCommand, TargetTimes } from '@skein/shared';
import type { RoundOutcome } from '../core/convergence.ts';
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
  epochAfter: number;
  stateHashSource = 0n;
  stateHashSourceFull: bigint | null = null;
  target: TargetTimes | null = null;
  readonly #command: MigrationSourceCommand;
  readonly #from: string;

  constructor(command: MigrationSourceCommand, from: string) {
    this.#command = command;
    this.#from = from;
    this.epochAfter = command.epoch;
  }

  mark(moment: Exclude<keyof Moments, 'startedNs'>): void {
    this.moments[moment] ??= process.hrtime.bigint();
  }

  get outcomes(): readonly RoundOutcome[] {
    return this.rounds;
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
      mode: 'pre-copy',
      outcome: this.outcome,
      reason: this.reason,
      epochBefore: this.#command.epoch,
      epochAfter: this.epochAfter,
      phases: {
        precopyMs: milliseconds(moments.startedNs, suspendedNs ?? endedNs),
        stopAndCopyMs: milliseconds(suspendedNs, committedNs),
        postcopyMs: milliseconds(committedNs, endedNs),
      },
      rounds,
      pages: sum((round) => round.pages),
      zeroPages: sum((round) => round.zeroPages),
      bytes: sum((round) => round.bytes),
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

/** 0 where one of the moments never came. Never negative: the clocks' offset has an error. */
function milliseconds(from: bigint | undefined, to: bigint | undefined): number {
  if (from === undefined || to === undefined) return 0;
  return Math.max(0, Number(to - from) / 1e6);
}
