import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fittedScaleTo, scaleTo, shortNumber } from './scale.ts';

describe('a scale', () => {
  it('reaches from zero to a round figure that no value exceeds, in a few steps', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1e12, noNaN: true }), (value) => {
        const { max, ticks, ratio } = scaleTo(value);
        expect(max).toBeGreaterThanOrEqual(value * (1 - 1e-9));
        expect(ticks[0]).toBe(0);
        expect(ticks.length).toBeLessThanOrEqual(6);
        expect([ratio(0), ratio(max)]).toEqual([0, 1]);
        const fitted = fittedScaleTo(value);
        expect(fitted.max).toBeLessThanOrEqual(max);
        expect(ticks.slice(0, fitted.ticks.length)).toEqual(fitted.ticks);
      }),
    );
  });

  it.each([
    [0, [0, 0.5, 1]],
    [7, [0, 2, 4, 6, 8]],
    [100, [0, 50, 100]],
    [23_493, [0, 10_000, 20_000, 30_000]],
  ])('of %d is marked at %j', (value, ticks) => {
    expect(scaleTo(value).ticks).toEqual(ticks);
  });

  it('is as long as its value and no longer where it is fitted', () => {
    expect(fittedScaleTo(434)).toMatchObject({ max: 434, ticks: [0, 200, 400] });
  });

  it.each([
    [0.5, '0.5'],
    [1234, '1234'],
    [23_493, '23.5k'],
    [1_250_000, '1.25M'],
  ])('writes %d as %s', (value, text) => {
    expect(shortNumber(value)).toBe(text);
  });
});
