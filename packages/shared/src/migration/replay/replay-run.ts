/** A migration as it goes on a trace: what each thing that an agent does costs, and the time that has passed. */
import type { MigrationSettings, PrecopyEnd } from '../../model/migration.ts';
import {
  type ConvergenceDecision,
  type ConvergencePolicy,
  convergencePolicy,
  decideNextRound,
  predictDowntimeMs,
} from '../convergence.ts';
import { dirtiedPages } from './dirtying.ts';
import type { Replay, ReplayedPostcopy, ReplayedRound } from './outcome.ts';
import { costAssumptions, PageCost, type SentPages } from './page-cost.ts';
import type { Trace } from './trace.ts';

type CopiedRound = Omit<ReplayedRound, 'predictedDowntimeMs'>;

export class ReplayRun {
  readonly policy: ConvergencePolicy;
  readonly #trace: Trace;
  readonly #settings: MigrationSettings;
  readonly #cost: PageCost;
  readonly #rounds: CopiedRound[] = [];
  #postcopy: ReplayedPostcopy | null = null;
  #downtimeMs: number | null = null;
  #elapsedMs: number;

  constructor(trace: Trace, settings: MigrationSettings) {
    this.#trace = trace;
    this.#settings = settings;
    this.#cost = new PageCost(trace, settings);
    this.policy = convergencePolicy(settings, trace.fixedDowntimeMs.predicted);
    this.#elapsedMs = trace.setupMs;
  }

  get elapsedMs(): number {
    return this.#elapsedMs;
  }

  decide(): ConvergenceDecision {
    return decideNextRound(this.#rounds, this.policy);
  }

  /** One round beside the running guest. */
  copy(throttlePercent: number): void {
    const isFirst = this.#rounds.length === 0;
    const sent = this.#rest();
    const durationMs = this.#durationMs(sent, isFirst);
    const remainingPages = dirtiedPages(this.#trace, this.#elapsedMs, durationMs, throttlePercent);
    this.#note(sent, { phase: 'pre-copy', durationMs, throttlePercent, remainingPages });
  }

  /** What is left goes while the guest stands. */
  stopAndCopy(): void {
    const sent = this.#rest();
    const durationMs = this.#durationMs(sent, false);
    const throttlePercent = this.#rounds.at(-1)?.throttlePercent ?? 0;
    this.#note(sent, { phase: 'stop-and-copy', durationMs, throttlePercent, remainingPages: 0 });
    this.#stop(durationMs);
  }

  /** What is left goes when the guest runs at the target. */
  stopAndFollow(): void {
    const isFirst = this.#rounds.length === 0;
    const sent = this.#rest();
    this.#stop(0);
    const durationMs = this.#durationMs(sent, isFirst);
    this.#postcopy = { pages: sent.pages, bytes: sent.bytes, durationMs };
    this.#elapsedMs += durationMs;
  }

  result(outcome: Replay['outcome'], precopyEnd: PrecopyEnd | null): Replay {
    const rounds = this.#rounds;
    const { deadlineMs } = this.#settings;
    const afterMs = outcome === 'committed' ? this.#trace.afterCommitMs : 0;
    return {
      settings: this.#settings,
      outcome,
      precopyEnd,
      rounds: rounds.map((round, index) => this.#withPrediction(round, index)),
      postcopy: this.#postcopy,
      totalMs: outcome === 'deadline' ? deadlineMs : this.#elapsedMs + afterMs,
      downtimeMs: this.#downtimeMs,
      pages: rounds.reduce((sum, { pages }) => sum + pages, this.#postcopy?.pages ?? 0),
      bytes: rounds.reduce((sum, { bytes }) => sum + bytes, this.#postcopy?.bytes ?? 0),
      throttlePercentMax: Math.max(0, ...rounds.map(({ throttlePercent }) => throttlePercent)),
      assumptions: assumptionsOf(this.#trace, this.#settings, this.#postcopy !== null),
    };
  }

  /** Before any round that is everything. */
  #rest(): SentPages {
    const last = this.#rounds.at(-1);
    return last === undefined ? this.#cost.first() : this.#cost.again(last.remainingPages);
  }

  #stop(lastPagesMs: number): void {
    const fixedMs = this.#trace.fixedDowntimeMs.measured;
    this.#downtimeMs = lastPagesMs + fixedMs;
    this.#elapsedMs += fixedMs;
  }

  #note(
    sent: SentPages,
    round: Pick<CopiedRound, 'phase' | 'durationMs' | 'throttlePercent' | 'remainingPages'>,
  ): void {
    const number = this.#rounds.length + 1;
    this.#rounds.push({ round: number, ...sent, startedMs: this.#elapsedMs, ...round });
    this.#elapsedMs += round.durationMs;
  }

  #withPrediction(round: CopiedRound, index: number): ReplayedRound {
    if (round.phase === 'stop-and-copy') return { ...round, predictedDowntimeMs: null };
    const predictedDowntimeMs = predictDowntimeMs(this.#rounds.slice(0, index + 1), this.policy);
    return { ...round, predictedDowntimeMs };
  }

  #durationMs({ bytes }: SentPages, isFirst: boolean): number {
    const { firstBandwidthBytesPerS, laterBandwidthBytesPerS } = this.#trace;
    const measured = isFirst ? firstBandwidthBytesPerS : laterBandwidthBytesPerS;
    const cap = this.#settings.bandwidthCapBytesPerS ?? Number.POSITIVE_INFINITY;
    const bytesPerS = Math.min(measured, cap);
    return bytesPerS === 0 ? 0 : (bytes / bytesPerS) * 1000;
  }
}

function assumptionsOf(trace: Trace, settings: MigrationSettings, follows: boolean): readonly string[] {
  const was = trace.settings.bandwidthCapBytesPerS;
  const now = settings.bandwidthCapBytesPerS;
  const isCapLifted = was !== null && (now === null || now > was);
  return [
    `the guest dirties pages as in the trace, moment for moment, up to a working set of ${trace.workingSetPages} pages; a vCPU that is slowed by half dirties half`,
    'the link is as fast as in the trace, or as the cap where that is lower',
    ...(isCapLifted ? ['the trace had a lower cap: what the link gives beyond it is not known'] : []),
    'stop-and-copy costs beside the last pages what it cost in the trace',
    ...(follows
      ? ['how long the guest waits for pages that follow is not in a trace: no such wait is told']
      : []),
    ...costAssumptions(trace, settings),
  ];
}
