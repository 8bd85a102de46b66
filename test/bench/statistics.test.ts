/** The published statistics, held against their definitions. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { median, percentile } from './statistics.ts';

const samples = fc.array(fc.double({ noNaN: true, min: -1e9, max: 1e9 }), { minLength: 1 });

describe('median', () => {
  it('is the middle value of an odd count and the mean of the two middle ones of an even count', () => {
    expect(median([9])).toBe(9);
    expect(median([9, 1, 5])).toBe(5);
    expect(median([10, 1, 4, 2])).toBe(3);
  });

  it('orders by size, not as text', () => {
    expect(median([100, 9, 20])).toBe(20);
  });

  it('leaves what it is given in its order', () => {
    const values = [3, 1, 2];
    median(values);
    expect(values).toEqual([3, 1, 2]);
  });

  it('has as many values at or below as at or above', () => {
    fc.assert(
      fc.property(samples, (values) => {
        const middle = median(values);
        const half = values.length / 2;
        expect(values.filter((value) => value <= middle).length).toBeGreaterThanOrEqual(Math.floor(half));
        expect(values.filter((value) => value >= middle).length).toBeGreaterThanOrEqual(Math.floor(half));
      }),
    );
  });

  it('of nothing is no number', () => {
    expect(median([])).toBeNaN();
  });
});

describe('percentile', () => {
  const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);

  it('is a value that was measured, by nearest rank', () => {
    expect(percentile(hundred, 0.99)).toBe(99);
    expect(percentile(hundred, 0.991)).toBe(100);
    expect(percentile([4, 8], 0.5)).toBe(4);
  });

  it('reaches from the least to the greatest value', () => {
    expect(percentile(hundred, 0)).toBe(1);
    expect(percentile(hundred, 1)).toBe(100);
  });

  it('has at least the given share of values at or below', () => {
    fc.assert(
      fc.property(samples, fc.double({ min: 0, max: 1, noNaN: true }), (values, share) => {
        const value = percentile(values, share);
        expect(values).toContain(value);
        const atOrBelow = values.filter((other) => other <= value).length;
        expect(atOrBelow).toBeGreaterThanOrEqual(share * values.length - 1e-9);
      }),
    );
  });

  it('of nothing is no number', () => {
    expect(percentile([], 0.99)).toBeNaN();
  });
});
