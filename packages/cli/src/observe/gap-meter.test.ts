import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GapMeter, type MeteredGap } from './gap-meter.ts';
import type { Reading } from './readings.ts';

const metered = (readings: readonly Reading[]): MeteredGap | null => {
  const meter = new GapMeter();
  for (const reading of readings) meter.take(reading);
  return meter.metered;
};

const reading = (sequence: number, ms: number): Reading => ({ sequence, guestNs: BigInt(ms) * 1_000_000n });

describe('a meter of gaps', () => {
  it('has measured nothing before the first reading, and no gap after it', () => {
    expect(metered([])).toBeNull();
    expect(metered([reading(7, 5)])).toEqual({ gapMs: 0, windowMs: 0, readings: 1, lost: 0 });
  });

  it('finds what whoever has all readings finds', () => {
    const series = fc.array(fc.record({ skipped: fc.nat(3), pauseMs: fc.nat(5000) }), { minLength: 1 });
    fc.assert(
      fc.property(series, (steps) => {
        let [sequence, ms] = [0, 0];
        const readings = steps.map(({ skipped, pauseMs }) => {
          sequence += skipped + 1;
          ms += pauseMs;
          return reading(sequence, ms);
        });
        const [, ...later] = steps;
        expect(metered(readings)).toEqual({
          gapMs: Math.max(0, ...later.map(({ pauseMs }) => pauseMs)),
          windowMs: later.reduce((sum, { pauseMs }) => sum + pauseMs, 0),
          readings: steps.length,
          lost: later.reduce((sum, { skipped }) => sum + skipped, 0),
        });
      }),
    );
  });

  it('takes answers that overtake each other', () => {
    const numbers = fc.uniqueArray(fc.integer({ min: 1000, max: 1060 }), { minLength: 1 });
    fc.assert(
      fc.property(numbers, (sequences) => {
        const all = Math.max(...sequences) - Math.min(...sequences) + 1;
        expect(metered(sequences.map((sequence) => reading(sequence, 1)))?.lost).toBe(all - sequences.length);
      }),
    );
  });

  it('leaves out what a clock says that goes back', () => {
    const meter = new GapMeter();
    const taken = [reading(1, 10), reading(2, 4), reading(3, 12)].map((one) => meter.take(one));
    expect(taken).toEqual([true, false, true]);
    expect(meter.metered).toMatchObject({ gapMs: 2, readings: 2 });
  });

  it('takes nothing for lost where somebody counts anew', () => {
    const anew = [reading(1000, 1), reading(1001, 2), reading(1, 5), reading(3, 6)];
    expect(metered(anew)).toEqual({ gapMs: 3, windowMs: 5, readings: 4, lost: 1 });
  });
});
