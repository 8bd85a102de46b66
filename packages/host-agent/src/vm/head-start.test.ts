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

/** Takes steps until it is over; how often it did. */
function run(headStart: HeadStart, took: (turn: number) => void = () => {}): number {
  let turns = 0;
  while (headStart.clock !== null) {
    turns += 1;
    took(turns);
    headStart.took({ steps: headStart.stepsAtOnce, reason: 'limit' });
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
    headStart.took({ steps: 5000, reason: 'idle' });
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

  it.each(['idle', 'halt'] as const)('ends where the guest does not go on: %s', (reason) => {
    const { headStart } = begun();
    headStart.took({ steps: 100, reason });
    expect(headStart.clock).toBeNull();
  });

  it('is over when the lease is here, wherever it had come to', () => {
    const { headStart } = begun();
    headStart.took({ steps: headStart.stepsAtOnce, reason: 'attention' });
    expect(headStart.clock).not.toBeNull();
    headStart.end();
    expect(headStart.clock).toBeNull();
  });
});
