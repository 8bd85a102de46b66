import { describe, expect, it } from 'vitest';
import { decideNextRound, type RoundOutcome } from './convergence.ts';

const policy = { downtimeBudgetMs: 10, fixedDowntimeMs: 3, roundsMax: 30 };

/** 1 GB/s: a page a 4 microseconds. */
function rounds(...remaining: number[]): RoundOutcome[] {
  return remaining.map((remainingPages, index) => ({
    round: index + 1,
    bytes: 100_000_000,
    durationMs: 100,
    remainingPages,
  }));
}

describe('deciding the next round', () => {
  it('stops as soon as the rest fits the downtime budget at the measured bandwidth', () => {
    const decision = decideNextRound(rounds(20_000, 1_000), policy);
    expect(decision).toMatchObject({ kind: 'stop-and-copy', reason: 'fits-budget' });
    expect(decision.predictedDowntimeMs).toBeCloseTo(3 + 4.096, 3);
  });

  it('goes on while rounds help', () => {
    expect(decideNextRound(rounds(60_000, 40_000, 20_000), policy).kind).toBe('another-round');
  });

  it('stops when rounds stopped helping', () => {
    expect(decideNextRound(rounds(60_000, 20_000, 20_000, 19_900, 20_100), policy)).toMatchObject({
      kind: 'stop-and-copy',
      reason: 'rounds-stopped-helping',
    });
  });

  it('never copies for ever', () => {
    const shrinking = Array.from({ length: 30 }, (_, index) => Math.floor(1e7 * 0.85 ** index));
    expect(decideNextRound(rounds(...shrinking), policy)).toMatchObject({
      kind: 'stop-and-copy',
      reason: 'rounds-exhausted',
    });
  });

  it('stops at once when nothing is left', () => {
    expect(decideNextRound(rounds(0), policy).kind).toBe('stop-and-copy');
  });
});
