import { describe, expect, it } from 'vitest';
import { roundSentence } from './migration-rounds.ts';

const round = {
  round: 3,
  pages: 250,
  pagesTotal: 1000,
  bytes: 512 << 10,
  bandwidthBytesPerS: 128 << 10,
  remainingMs: 12_300,
};

describe('how far a round is', () => {
  it('has its share of the round, what it sent, how fast, and for how long it goes on like this', () => {
    expect(roundSentence(round)).toBe(
      'round 3: 25 %, about 12.3 s left at 128 KiB/s, 250 of 1000 pages, 512 KiB',
    );
  });

  it('says no time before there is one, and is whole where nothing was to be sent', () => {
    const nothing = { ...round, pages: 0, pagesTotal: 0, bytes: 0, bandwidthBytesPerS: 0, remainingMs: null };
    expect(roundSentence(nothing)).toBe('round 3: 100 %, 0 of 0 pages, 0 KiB');
  });
});
