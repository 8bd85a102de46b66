/** A pre-copy on a trace: rounds until the agents' own decision ends them, then the last pages of a guest that stands. */
import type { MigrationSettings, PrecopyEnd } from '../../model/migration.ts';
import {
  type ConvergenceDecision,
  decideNextRound,
  precopyRoundsMax,
  predictDowntimeMs,
} from '../convergence.ts';
import { dirtiedPages } from './dirtying.ts';
import type { Replay, ReplayedRound } from './outcome.ts';
import { costAssumptions, PageCost, type SentPages } from './page-cost.ts';
import type { Trace } from './trace.ts';

/** How a trace would have gone under these settings. */
export function replayPrecopy(trace: Trace, settings: MigrationSettings): Replay {
  const run = new PrecopyRun(trace, settings);
  let decision = run.decide();
  while (decision.kind === 'another-round' && run.elapsedMs < settings.deadlineMs) {
    run.copy(decision.throttlePercent);
    decision = run.decide();
  }
  if (run.elapsedMs >= settings.deadlineMs) return run.result('deadline', null, settings.deadlineMs, null);
  const reason = decision.kind === 'another-round' ? null : decision.reason;
  if (decision.kind === 'give-up') return run.result('given-up', reason, run.elapsedMs, null);
  const downtimeMs = run.stopAndCopy();
  return run.result('committed', reason, run.elapsedMs + trace.afterCommitMs, downtimeMs);
}

type CopiedRound = Omit<ReplayedRound, 'predictedDowntimeMs'>;

class PrecopyRun {
  readonly #trace: Trace;
  readonly #settings: MigrationSettings;
  readonly #cost: PageCost;
  readonly #rounds: CopiedRound[] = [];
  elapsedMs: number;

  constructor(trace: Trace, settings: MigrationSettings) {
    this.#trace = trace;
    this.#settings = settings;
    this.#cost = new PageCost(trace, settings);
    this.elapsedMs = trace.setupMs;
  }

  decide(): ConvergenceDecision {
    const { downtimeBudgetMs, autoConverge, onNoConvergence } = this.#settings;
    return decideNextRound(this.#rounds, {
      downtimeBudgetMs,
      autoConverge,
      onNoConvergence,
      fixedDowntimeMs: this.#trace.fixedDowntimeMs.predicted,
      roundsMax: precopyRoundsMax,
    });
  }

  /** One round beside the running guest. */
  copy(throttlePercent: number): void {
    const last = this.#rounds.at(-1);
    const isFirst = last === undefined;
    const sent = isFirst ? this.#cost.first() : this.#cost.again(last.remainingPages);
    const durationMs = this.#durationMs(sent, isFirst);
    const startedMs = this.elapsedMs;
    const remainingPages = dirtiedPages(this.#trace, startedMs, durationMs, throttlePercent);
    this.#note(sent, { phase: 'pre-copy', durationMs, throttlePercent, remainingPages });
  }

  /** The downtime. */
  stopAndCopy(): number {
    const last = this.#rounds.at(-1);
    const sent = this.#cost.again(last?.remainingPages ?? 0);
    const durationMs = this.#durationMs(sent, false);
    const throttlePercent = last?.throttlePercent ?? 0;
    this.#note(sent, { phase: 'stop-and-copy', durationMs, throttlePercent, remainingPages: 0 });
    const fixedMs = this.#trace.fixedDowntimeMs.measured;
    this.elapsedMs += fixedMs;
    return durationMs + fixedMs;
  }

  result(
    outcome: Replay['outcome'],
    precopyEnd: PrecopyEnd | null,
    totalMs: number,
    downtimeMs: number | null,
  ): Replay {
    const rounds = this.#rounds;
    return {
      settings: this.#settings,
      outcome,
      precopyEnd,
      rounds: rounds.map((round, index) => this.#withPrediction(round, index)),
      totalMs,
      downtimeMs,
      pages: rounds.reduce((sum, { pages }) => sum + pages, 0),
      bytes: rounds.reduce((sum, { bytes }) => sum + bytes, 0),
      throttlePercentMax: Math.max(0, ...rounds.map(({ throttlePercent }) => throttlePercent)),
      assumptions: assumptionsOf(this.#trace, this.#settings),
    };
  }

  #note(
    sent: SentPages,
    round: Pick<CopiedRound, 'phase' | 'durationMs' | 'throttlePercent' | 'remainingPages'>,
  ): void {
    const number = this.#rounds.length + 1;
    this.#rounds.push({ round: number, ...sent, startedMs: this.elapsedMs, ...round });
    this.elapsedMs += round.durationMs;
  }

  #withPrediction(round: CopiedRound, index: number): ReplayedRound {
    if (round.phase === 'stop-and-copy') return { ...round, predictedDowntimeMs: null };
    const policy = { fixedDowntimeMs: this.#trace.fixedDowntimeMs.predicted };
    return { ...round, predictedDowntimeMs: predictDowntimeMs(this.#rounds.slice(0, index + 1), policy) };
  }

  #durationMs({ bytes }: SentPages, isFirst: boolean): number {
    const { firstBandwidthBytesPerS, laterBandwidthBytesPerS } = this.#trace;
    const measured = isFirst ? firstBandwidthBytesPerS : laterBandwidthBytesPerS;
    const cap = this.#settings.bandwidthCapBytesPerS ?? Number.POSITIVE_INFINITY;
    const bytesPerS = Math.min(measured, cap);
    return bytesPerS === 0 ? 0 : (bytes / bytesPerS) * 1000;
  }
}

function assumptionsOf(trace: Trace, settings: MigrationSettings): readonly string[] {
  const was = trace.settings.bandwidthCapBytesPerS;
  const now = settings.bandwidthCapBytesPerS;
  const isCapLifted = was !== null && (now === null || now > was);
  return [
    `the guest dirties pages as in the trace, moment for moment, up to a working set of ${trace.workingSetPages} pages; a vCPU that is slowed by half dirties half`,
    'the link is as fast as in the trace, or as the cap where that is lower',
    ...(isCapLifted ? ['the trace had a lower cap: what the link gives beyond it is not known'] : []),
    'stop-and-copy costs beside the last pages what it cost in the trace',
    ...costAssumptions(trace, settings),
  ];
}
