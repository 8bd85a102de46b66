import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StepBudget } from './step-budget.ts';

const ms = 1_000_000n;

describe('a step budget', () => {
  it('never lets a vCPU execute more than its entitlement and one burst', () => {
    const moves = fc.array(
      fc.record({
        waitMs: fc.integer({ min: 0, max: 100 }),
        greed: fc.double({ min: 0, max: 1, noNaN: true }),
      }),
    );
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 500_000 }), moves, (stepsPerMs, list) => {
        const budget = new StepBudget(0n);
        let now = 0n;
        let executed = 0;
        for (const { waitMs, greed } of list) {
          now += BigInt(waitMs) * ms;
          const steps = Math.floor(budget.available(now, stepsPerMs) * greed);
          budget.spend(steps);
          executed += steps;
          expect(executed).toBeLessThanOrEqual((Number(now / ms) + 20) * stepsPerMs);
        }
      }),
    );
  });

  it('gives a busy vCPU all of its entitlement', () => {
    const budget = new StepBudget(0n);
    let executed = 0;
    for (let at = 1; at <= 1000; at++) {
      const steps = budget.available(BigInt(at) * ms, 400_000);
      budget.spend(steps);
      executed += steps;
    }
    expect(executed).toBe(400_000_000);
  });

  it('says how long until there is enough, and then there is', () => {
    const budget = new StepBudget(0n);
    budget.available(1n * ms, 1000);
    const waitMs = budget.waitMs(5000, 1000);
    expect(waitMs).toBeCloseTo(4, 6);
    expect(budget.available(1n * ms + BigInt(Math.ceil(waitMs * 1e6)), 1000)).toBeGreaterThanOrEqual(5000);
  });
});
