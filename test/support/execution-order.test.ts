import { describe, expect, it } from 'vitest';
import { ExecutionOrder, type Sample } from './execution-order.ts';

const at = (ms: number, host: string, epoch: number, steps: number): Sample => ({
  askedAtMs: ms,
  answeredAtMs: ms + 1,
  copy: { host, epoch, steps, leaseRemainingS: 1 },
});

function violationsOf(...looks: readonly (readonly [Sample, Sample])[]): number {
  const order = new ExecutionOrder('web1');
  for (const [before, now] of looks) order.note(before, now);
  return order.violations.length;
}

describe('the order of execution', () => {
  it('is well where one copy goes on from the other', () => {
    expect(
      violationsOf([at(0, 'h1', 1, 5), at(10, 'h1', 1, 9)], [at(5, 'h2', 2, 1), at(20, 'h2', 2, 4)]),
    ).toBe(0);
  });

  it('is broken by an older copy that executes after the newer one has', () => {
    expect(
      violationsOf([at(5, 'h2', 2, 1), at(20, 'h2', 2, 4)], [at(30, 'h1', 1, 5), at(40, 'h1', 1, 6)]),
    ).toBe(1);
  });

  it('is well with an older copy that stands still', () => {
    expect(
      violationsOf([at(5, 'h2', 2, 1), at(20, 'h2', 2, 4)], [at(30, 'h1', 1, 5), at(40, 'h1', 1, 5)]),
    ).toBe(0);
  });

  it('says nothing of the moment in which a copy begins, and all of what follows', () => {
    const begins = [at(5, 'h2', 1, 0), at(20, 'h2', 1, 4)] as const;
    const goesOn = [at(20, 'h2', 1, 4), at(30, 'h2', 1, 8)] as const;
    const old = [at(0, 'h1', 1, 5), at(10, 'h1', 1, 9)] as const;
    expect(violationsOf(old, begins)).toBe(0);
    expect(violationsOf(old, begins, goesOn)).toBe(1);
  });

  it('is broken by two hosts at one epoch', () => {
    expect(
      violationsOf([at(0, 'h1', 2, 5), at(10, 'h1', 2, 9)], [at(5, 'h2', 2, 1), at(20, 'h2', 2, 4)]),
    ).toBe(1);
  });
});
