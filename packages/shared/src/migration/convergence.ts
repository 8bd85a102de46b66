/**
 * When a pre-copy stops copying: when what is left fits the downtime budget at the measured bandwidth, and one more short
 * round would not make it much less. Rounds that do not help slow the vCPU, step by step, until they do; when even that is of no use, the migration ends one way or the
 * other (Clark et al. 2005, section "Writable working sets"; QEMU's auto-converge).
 */
import { pageBytes } from '../frame/page.ts';
import type { MigrationSettings, OnNoConvergence, PrecopyEnd } from '../model/migration.ts';

export interface RoundOutcome {
  readonly round: number;
  /** Sent in this round, zero ones too. */
  readonly pages: number;
  readonly bytes: number;
  readonly durationMs: number;
  /** Pages left to send when the round ended. */
  readonly remainingPages: number;
  /** By how much the vCPU was slowed meanwhile. */
  readonly throttlePercent: number;
}

export interface ConvergencePolicy {
  readonly downtimeBudgetMs: number;
  /** What stop-and-copy costs beside the last pages: state, verification, lease pass; measured or assumed. */
  readonly fixedDowntimeMs: number;
  readonly roundsMax: number;
  readonly autoConverge: boolean;
  readonly onNoConvergence: OnNoConvergence;
}

export type ConvergenceDecision =
  | { readonly kind: 'another-round'; readonly predictedDowntimeMs: number; readonly throttlePercent: number }
  | { readonly kind: 'stop-and-copy'; readonly predictedDowntimeMs: number; readonly reason: PrecopyEnd }
  | { readonly kind: 'give-up'; readonly predictedDowntimeMs: number; readonly reason: PrecopyEnd };

/** More rounds than that never helped any guest. */
export const precopyRoundsMax = 30;
/** In hybrid mode what is left after so many rounds follows. */
const hybridRoundsMax = 2;

/** A round helps while it leaves less than this part of what the round before left. */
const helpfulRatio = 0.9;
/** So many rounds in a row without help end the pre-copy. */
const idleRoundsMax = 3;
/** What fits the budget is sent beside the guest so often, if it goes in so short a time and so much less is left then. */
const payingRoundsMax = 2;
const payingRoundMsMax = 20;
const payingMs = 1;
/** However little it sends: it asks the vCPU for the dirty pages, and the target for an answer. */
const shortestRoundMs = 1.5;
const firstThrottlePercent = 20;
const throttleStepPercent = 10;
/** Slower than that a guest stands as good as still, and its clients give up. */
const throttlePercentMax = 95;
/** A slowed vCPU shall dirty so much of what a round sends. */
const wantedRatio = 0.5;

/** What the settings of a migration come to; in hybrid mode the rest follows whatever it is, so that nothing is slowed. */
export function convergencePolicy(settings: MigrationSettings, fixedDowntimeMs: number): ConvergencePolicy {
  const { mode, downtimeBudgetMs, autoConverge, onNoConvergence } = settings;
  const isHybrid = mode === 'hybrid';
  return {
    downtimeBudgetMs,
    fixedDowntimeMs,
    roundsMax: isHybrid ? hybridRoundsMax : precopyRoundsMax,
    autoConverge: autoConverge && !isHybrid,
    onNoConvergence: isHybrid ? 'post-copy' : onNoConvergence,
  };
}

/** Whether what is left when the guest is stopped waits until it runs at the target. */
export function doesRestFollow(decision: ConvergenceDecision, policy: ConvergencePolicy): boolean {
  return (
    decision.kind === 'stop-and-copy' &&
    decision.reason !== 'fits-budget' &&
    policy.onNoConvergence === 'post-copy'
  );
}

export function decideNextRound(
  outcomes: readonly RoundOutcome[],
  policy: ConvergencePolicy,
): ConvergenceDecision {
  const last = outcomes.at(-1);
  if (last === undefined)
    return { kind: 'another-round', predictedDowntimeMs: Number.POSITIVE_INFINITY, throttlePercent: 0 };
  const predictedDowntimeMs = predictDowntimeMs(outcomes, policy);
  const end = (reason: PrecopyEnd): ConvergenceDecision => ({
    kind: policy.onNoConvergence === 'fail' ? 'give-up' : 'stop-and-copy',
    predictedDowntimeMs,
    reason,
  });
  const { throttlePercent } = last;
  if (predictedDowntimeMs <= policy.downtimeBudgetMs)
    return doesAnotherPay(outcomes, policy)
      ? { kind: 'another-round', predictedDowntimeMs, throttlePercent }
      : { kind: 'stop-and-copy', predictedDowntimeMs, reason: 'fits-budget' };
  if (outcomes.length >= policy.roundsMax) return end('rounds-exhausted');
  if (roundsWithoutHelp(outcomes) === 0)
    return { kind: 'another-round', predictedDowntimeMs, throttlePercent };
  if (policy.autoConverge && throttlePercent < throttlePercentMax)
    return { kind: 'another-round', predictedDowntimeMs, throttlePercent: nextThrottlePercent(last) };
  if (roundsWithoutHelp(outcomes) >= idleRoundsMax) return end('rounds-stopped-helping');
  return { kind: 'another-round', predictedDowntimeMs, throttlePercent };
}

/** From the bandwidth over all rounds so far: a single short round measures mostly its own overhead. */
export function predictDowntimeMs(
  outcomes: readonly Pick<RoundOutcome, 'bytes' | 'durationMs' | 'remainingPages'>[],
  policy: Pick<ConvergencePolicy, 'fixedDowntimeMs'>,
): number {
  const bytes = outcomes.reduce((sum, outcome) => sum + outcome.bytes, 0);
  const durationMs = outcomes.reduce((sum, outcome) => sum + outcome.durationMs, 0);
  const remaining = (outcomes.at(-1)?.remainingPages ?? 0) * pageBytes;
  if (remaining === 0) return policy.fixedDowntimeMs;
  if (bytes === 0 || durationMs === 0) return Number.MAX_SAFE_INTEGER;
  return policy.fixedDowntimeMs + remaining / (bytes / durationMs);
}

/**
 * Whether a round of what fits the budget already is over so soon that the guest leaves much less behind: its clients wait
 * for less, and the whole is hardly longer. Asked for so often at the most, for the next round may be one that does not fit.
 */
function doesAnotherPay(outcomes: readonly RoundOutcome[], policy: ConvergencePolicy): boolean {
  const { downtimeBudgetMs, fixedDowntimeMs } = policy;
  const durationMs = outcomes.at(-1)?.durationMs ?? 0;
  if (durationMs === 0 || outcomes.length >= policy.roundsMax) return false;
  const predictedMs = outcomes.map((_, index) => predictDowntimeMs(outcomes.slice(0, index + 1), policy));
  const restMs = (predictedMs.at(-1) ?? 0) - fixedDowntimeMs;
  if (predictedMs.slice(0, -1).filter((ms) => ms <= downtimeBudgetMs).length >= payingRoundsMax) return false;
  if (restMs > payingRoundMsMax) return false;
  const nextRestMs = (restMs / durationMs) * Math.max(restMs, shortestRoundMs);
  return restMs - nextRestMs >= payingMs;
}

/** How many rounds up to the last one, all at its throttle, left about as much as the one before them. */
function roundsWithoutHelp(outcomes: readonly RoundOutcome[]): number {
  let count = 0;
  for (let index = outcomes.length - 1; index > 0; index--) {
    const [before, here] = [outcomes[index - 1], outcomes[index]];
    if (before === undefined || here === undefined) break;
    if (here.throttlePercent !== outcomes.at(-1)?.throttlePercent) break;
    if (here.remainingPages < before.remainingPages * helpfulRatio) break;
    count += 1;
  }
  return count;
}

/** One step more, or at once as much as the pages dirtied for each page sent say. */
function nextThrottlePercent({ throttlePercent, pages, remainingPages }: RoundOutcome): number {
  const dirtiedForEachSent = remainingPages / Math.max(1, pages);
  const runs = (1 - throttlePercent / 100) * Math.min(1, wantedRatio / dirtiedForEachSent);
  const stepped = Math.max(firstThrottlePercent, throttlePercent + throttleStepPercent);
  return Math.min(throttlePercentMax, Math.max(stepped, Math.round(100 * (1 - runs))));
}
