/**
 * When a pre-copy stops copying: as soon as what is left fits the downtime budget at the measured bandwidth, or
 * when rounds stop helping (Clark et al. 2005, section "Writable working sets"; QEMU's migration thresholds).
 */
import { pageBytes } from '@skein/shared';

export interface RoundOutcome {
  readonly round: number;
  readonly bytes: number;
  readonly durationMs: number;
  /** Pages left to send when the round ended. */
  readonly remainingPages: number;
}

export interface ConvergencePolicy {
  readonly downtimeBudgetMs: number;
  /** What stop-and-copy costs beside the last pages: state, verification, lease pass; measured or assumed. */
  readonly fixedDowntimeMs: number;
  readonly roundsMax: number;
}

export type ConvergenceDecision =
  | { readonly kind: 'another-round'; readonly predictedDowntimeMs: number }
  | { readonly kind: 'stop-and-copy'; readonly predictedDowntimeMs: number; readonly reason: StopReason };

export type StopReason = 'fits-budget' | 'rounds-stopped-helping' | 'rounds-exhausted';

/** A round helps while it leaves less than this part of what the round before left. */
const helpfulRatio = 0.9;
/** So many rounds in a row without help end the pre-copy. */
const idleRoundsMax = 3;

export function decideNextRound(
  outcomes: readonly RoundOutcome[],
  policy: ConvergencePolicy,
): ConvergenceDecision {
  const last = outcomes.at(-1);
  if (last === undefined) return { kind: 'another-round', predictedDowntimeMs: Number.POSITIVE_INFINITY };
  const predictedDowntimeMs = predictDowntimeMs(outcomes, policy);
  if (predictedDowntimeMs <= policy.downtimeBudgetMs) {
    return { kind: 'stop-and-copy', predictedDowntimeMs, reason: 'fits-budget' };
  }
  if (outcomes.length >= policy.roundsMax) {
    return { kind: 'stop-and-copy', predictedDowntimeMs, reason: 'rounds-exhausted' };
  }
  if (hasStoppedHelping(outcomes)) {
    return { kind: 'stop-and-copy', predictedDowntimeMs, reason: 'rounds-stopped-helping' };
  }
  return { kind: 'another-round', predictedDowntimeMs };
}

/** From the bandwidth over all rounds so far: a single short round measures mostly its own overhead. */
export function predictDowntimeMs(outcomes: readonly RoundOutcome[], policy: ConvergencePolicy): number {
  const bytes = outcomes.reduce((sum, outcome) => sum + outcome.bytes, 0);
  const durationMs = outcomes.reduce((sum, outcome) => sum + outcome.durationMs, 0);
  const remaining = (outcomes.at(-1)?.remainingPages ?? 0) * pageBytes;
  if (remaining === 0) return policy.fixedDowntimeMs;
  if (bytes === 0 || durationMs === 0) return Number.MAX_SAFE_INTEGER;
  return policy.fixedDowntimeMs + remaining / (bytes / durationMs);
}

function hasStoppedHelping(outcomes: readonly RoundOutcome[]): boolean {
  const recent = outcomes.slice(-(idleRoundsMax + 1));
  if (recent.length <= idleRoundsMax) return false;
  return recent.slice(1).every((outcome, index) => {
    const before = recent[index];
    return before !== undefined && outcome.remainingPages >= before.remainingPages * helpfulRatio;
  });
}
