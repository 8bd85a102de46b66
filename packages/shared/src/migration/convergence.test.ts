import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ConvergencePolicy, decideNextRound, type RoundOutcome } from './convergence.ts';

const policy: ConvergencePolicy = {
  downtimeBudgetMs: 10,
  fixedDowntimeMs: 3,
  roundsMax: 30,
  autoConverge: false,
  onNoConvergence: 'force',
};
const slowing: ConvergencePolicy = { ...policy, autoConverge: true };

/** 1 GB/s: a page a 4 microseconds. */
function rounds(...remaining: number[]): RoundOutcome[] {
  return remaining.map((remainingPages, index) => ({
    round: index + 1,
    pages: remaining[index - 1] ?? 60_000,
    bytes: 100_000_000,
    durationMs: 100,
    remainingPages,
    throttlePercent: 0,
  }));
}

describe('deciding the next round', () => {
  it('stops when the rest fits the downtime budget at the measured bandwidth and is next to nothing', () => {
    const decision = decideNextRound(rounds(20_000, 200), policy);
    expect(decision).toMatchObject({ kind: 'stop-and-copy', reason: 'fits-budget' });
    expect(decision.predictedDowntimeMs).toBeCloseTo(3 + 0.8192, 3);
  });

  it('sends what fits the budget once more beside the guest where that makes the downtime shorter', () => {
    const decision = decideNextRound(rounds(20_000, 1_000), policy);
    expect(decision.kind).toBe('another-round');
    expect(decision.predictedDowntimeMs).toBeCloseTo(3 + 4.096, 3);
    // In 5 ms this guest dirties as much as goes in 4.
    const quick = rounds(20_000, 1_000).map((one) => ({ ...one, durationMs: 5, bytes: 5_000_000 }));
    expect(decideNextRound(quick, policy).kind).toBe('stop-and-copy');
  });

  it('does so twice at the most', () => {
    expect(decideNextRound(rounds(20_000, 1_400, 1_300), policy).kind).toBe('another-round');
    const thrice = decideNextRound(rounds(20_000, 1_400, 1_300, 1_200), policy);
    expect(thrice).toMatchObject({ kind: 'stop-and-copy', reason: 'fits-budget' });
  });

  it('does not where there are no more rounds, nor where it takes long and the budget is as large', () => {
    const reason = 'fits-budget';
    expect(decideNextRound(rounds(20_000, 1_000), { ...policy, roundsMax: 2 })).toMatchObject({ reason });
    expect(decideNextRound(rounds(60_000, 20_000), { ...policy, downtimeBudgetMs: 500 })).toMatchObject({
      reason,
    });
  });

  it('goes on while rounds help', () => {
    expect(decideNextRound(rounds(60_000, 40_000, 20_000), policy).kind).toBe('another-round');
  });

  it('stops when rounds stopped helping, or gives up if that was asked for', () => {
    const stuck = rounds(60_000, 20_000, 20_000, 19_900, 20_100);
    const reason = 'rounds-stopped-helping';
    expect(decideNextRound(stuck, policy)).toMatchObject({ kind: 'stop-and-copy', reason });
    expect(decideNextRound(stuck, { ...policy, onNoConvergence: 'fail' })).toMatchObject({
      kind: 'give-up',
      reason,
    });
  });

  it('never copies for ever', () => {
    const shrinking = Array.from({ length: 30 }, (_, index) => Math.floor(1e7 * 0.85 ** index));
    expect(decideNextRound(rounds(...shrinking), slowing)).toMatchObject({
      kind: 'stop-and-copy',
      reason: 'rounds-exhausted',
    });
  });

  it('stops at once when nothing is left', () => {
    expect(decideNextRound(rounds(0), policy).kind).toBe('stop-and-copy');
  });
});

describe('slowing the vCPU', () => {
  it('begins with the first round that did not help, by as much as the dirtied pages ask for', () => {
    // As many pages got dirty as were sent: half of them would do.
    expect(decideNextRound(rounds(20_000, 20_000), slowing)).toMatchObject({ throttlePercent: 50 });
    expect(decideNextRound(rounds(20_000, 19_000), policy)).toMatchObject({ throttlePercent: 0 });
  });

  it('stays as it is while it helps, and goes a step further where it does not', () => {
    const slowed = (remaining: number): RoundOutcome[] =>
      rounds(20_000, 20_000, remaining).map((one, index) => ({
        ...one,
        throttlePercent: index === 2 ? 50 : 0,
      }));
    expect(decideNextRound(slowed(10_000), slowing)).toMatchObject({ throttlePercent: 50 });
    const further = decideNextRound(slowed(19_500), slowing);
    expect(further).toMatchObject({ kind: 'another-round' });
    expect('throttlePercent' in further && further.throttlePercent).toBeGreaterThanOrEqual(60);
  });

  it('never stops the guest, nor goes back, and always ends within the rounds there are', () => {
    const guest = fc.record({
      pagesPerS: fc.integer({ min: 1000, max: 400_000 }),
      dirtyPagesPerS: fc.integer({ min: 0, max: 2_000_000 }),
      workingSet: fc.integer({ min: 1, max: 200_000 }),
    });
    fc.assert(
      fc.property(guest, ({ pagesPerS, dirtyPagesPerS, workingSet }) => {
        const outcomes: RoundOutcome[] = [];
        let pages = 300_000;
        let throttlePercent = 0;
        for (;;) {
          const durationMs = (pages / pagesPerS) * 1000;
          const dirtied = (durationMs / 1000) * dirtyPagesPerS * (1 - throttlePercent / 100);
          const remainingPages = Math.min(workingSet, Math.floor(dirtied));
          outcomes.push({
            round: outcomes.length + 1,
            pages,
            bytes: pages * 4096,
            durationMs,
            remainingPages,
            throttlePercent,
          });
          const decision = decideNextRound(outcomes, slowing);
          if (decision.kind !== 'another-round') break;
          expect(decision.throttlePercent).toBeGreaterThanOrEqual(throttlePercent);
          expect(decision.throttlePercent).toBeLessThan(100);
          throttlePercent = decision.throttlePercent;
          pages = remainingPages;
        }
        expect(outcomes.length).toBeLessThanOrEqual(slowing.roundsMax);
      }),
    );
  });
});
