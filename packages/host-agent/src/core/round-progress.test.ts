import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { roundProgress } from './round-progress.ts';

const counts = {
  round: 1,
  pages: 100,
  pagesTotal: 400,
  bytes: 400_000,
  onTheWayBytes: 200_000,
  elapsedMs: 1000,
};

describe('progress within a round', () => {
  it('has the pace of what was applied, and the time for what is left and what is on its way', () => {
    expect(roundProgress(counts)).toEqual({
      round: 1,
      pages: 100,
      pagesTotal: 400,
      bytes: 400_000,
      bandwidthBytesPerS: 200_000,
      remainingMs: 7000,
    });
  });

  it('knows no time before anything was applied', () => {
    expect(roundProgress({ ...counts, onTheWayBytes: 400_000 }).remainingMs).toBeNull();
    expect(roundProgress({ ...counts, pages: 0, bytes: 0, onTheWayBytes: 0 }).remainingMs).toBeNull();
  });

  it('ends at no time left', () => {
    const ended = { ...counts, pages: 400, onTheWayBytes: 0 };
    expect(roundProgress(ended).remainingMs).toBe(0);
  });

  it('is a number that can be told, whatever is counted', () => {
    const natural = fc.nat(2 ** 30);
    const anyCounts = fc
      .record({
        round: fc.integer({ min: 1, max: 50 }),
        pages: natural,
        left: natural,
        bytes: natural,
        onTheWayBytes: natural,
        elapsedMs: fc.double({ min: 0, max: 1e9, noNaN: true }),
      })
      .map(({ left, ...rest }) => ({ ...rest, pagesTotal: rest.pages + left }));
    fc.assert(
      fc.property(anyCounts, (any) => {
        const { bandwidthBytesPerS, remainingMs } = roundProgress(any);
        expect(bandwidthBytesPerS).toBeGreaterThanOrEqual(0);
        expect(Number.isFinite(bandwidthBytesPerS)).toBe(true);
        if (remainingMs !== null) expect(remainingMs).toBeGreaterThanOrEqual(0);
      }),
    );
  });
});
