import type { RunResult } from '@skein/machine';
import { describe, expect, it } from 'vitest';
import { HeadStart } from './head-start.ts';

const clock = { guestTicks: 7n, hostNs: 9n };

class Outputs {
  emittedBytes = 0;
  readonly done: string[] = [];
  withhold(): void {
    this.done.push('withhold');
  }
  release(): void {
    this.done.push('release');
  }
  flush(): void {
    this.done.push('flush');
  }
}

function begun(): { headStart: HeadStart; outputs: Outputs } {
  const outputs = new Outputs();
  const headStart = new HeadStart(outputs);
  headStart.begin(clock);
  return { headStart, outputs };
}

const result = (steps: number, reason: RunResult['reason'], deviceTurns = 0): RunResult => ({
  steps,
  reason,
  deviceTurns,
});

/** Takes steps until it is over; how often it did. */
function run(headStart: HeadStart, took: (turn: number) => void = () => {}): number {
  let turns = 0;
  while (headStart.clock !== null) {
    turns += 1;
    took(turns);
    headStart.go((steps) => result(steps, 'limit'));
  }
  return turns;
}

describe('a head start', () => {
  it('takes no step unless it was given', () => {
    expect(new HeadStart(new Outputs()).clock).toBeNull();
  });

  it('has outputs withheld before its first step, and released at its end', () => {
    const { headStart, outputs } = begun();
    expect(outputs.done).toEqual(['withhold']);
    expect(headStart.clock).toEqual(clock);
    headStart.go(() => result(5000, 'idle'));
    expect(headStart.clock).toBeNull();
    expect(outputs.done).toEqual(['withhold', 'flush']);
    expect(headStart.end()).toBe(5000);
    expect(outputs.done).toEqual(['withhold', 'flush', 'release']);
  });

  it('ends by itself: nobody knows whether the lease comes', () => {
    const { headStart } = begun();
    expect(run(headStart)).toBe(10);
    expect(headStart.end()).toBe(100_000);
  });

  it('ends soon after the first words, with time for the rest of the line', () => {
    const { headStart, outputs } = begun();
    const turns = run(headStart, (turn) => {
      if (turn >= 3) outputs.emittedBytes += 10;
    });
    expect(turns).toBe(5);
    expect(headStart.end()).toBe(50_000);
  });

  it.each([
    ['sleeps', result(100, 'idle')],
    ['is off', result(100, 'halt')],
    ['has made devices work for all the time there was', result(100, 'attention', 3)],
  ])('ends where the guest %s', (_, taken) => {
    const { headStart } = begun();
    headStart.go(() => taken);
    expect(headStart.clock).toBeNull();
  });

  it('goes on where its thread was only called', () => {
    const { headStart } = begun();
    headStart.go(() => result(100, 'attention'));
    expect(headStart.clock).not.toBeNull();
  });

  it('is over when the lease is here, wherever it had come to', () => {
    const { headStart } = begun();
    headStart.go((steps) => result(steps, 'limit'));
    expect(headStart.end()).toBe(10_000);
    expect(headStart.clock).toBeNull();
  });

  it('keeps to itself that the machine failed, until it is asked', () => {
    const { headStart } = begun();
    headStart.raise();
    headStart.go(() => {
      throw new Error('broken');
    });
    expect(headStart.clock).toBeNull();
    expect(headStart.end()).toBe(0);
    expect(() => headStart.raise()).toThrow('broken');
  });
});
