import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chargedSteps, StepBudget } from './step-budget.ts';

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

describe('what a slice is charged with', () => {
  const stepsPerNs = 0.5;

  it('is its steps, however long the host kept the vCPU waiting, while no device works', () => {
    expect(chargedSteps({ steps: 1000, cpuNs: 1_000_000, deviceTurns: 0 }, stepsPerNs)).toBe(1000);
  });

  it('is what the vCPU would have executed, when devices took the time', () => {
    expect(chargedSteps({ steps: 10, cpuNs: 2_000_000, deviceTurns: 3 }, stepsPerNs)).toBe(1_000_000);
    expect(chargedSteps({ steps: 300_000, cpuNs: 500_000, deviceTurns: 1 }, stepsPerNs)).toBe(300_000);
  });

  it('leaves a driver that kicks without end as much of the host as a loop has', () => {
    const budget = new StepBudget(0n);
    const stepsPerMs = 100_000;
    let [nowNs, cpuNs] = [0n, 0];
    while (nowNs < 10_000n * ms) {
      if (budget.available(nowNs, stepsPerMs) < 20_000) {
        nowNs += BigInt(Math.ceil(budget.waitMs(20_000, stepsPerMs) * 1e6));
        continue;
      }
      budget.spend(chargedSteps({ steps: 50, cpuNs: 2_000_000, deviceTurns: 100 }, stepsPerNs));
      nowNs += 2n * ms;
      cpuNs += 2_000_000;
    }
    // Of 10 s at a fifth of the vCPU's speed.
    expect(cpuNs / 1e9).toBeCloseTo(2, 1);
  });
});
