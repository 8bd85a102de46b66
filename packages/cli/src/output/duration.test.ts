import { describe, expect, it } from 'vitest';
import { formatDuration, formatTime } from './duration.ts';

describe('durations', () => {
  it.each([
    [0.4, '0 ms'],
    [38, '38 ms'],
    [4200, '4.2 s'],
    [192_000, '3m12s'],
    [18_120_000, '5h02m'],
    [12 * 86_400_000, '12d'],
  ])('of %d ms read %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });

  it('points in time are UTC to the ms', () => {
    expect(formatTime(0)).toBe('1970-01-01 00:00:00.000');
  });
});
