import { describe, expect, it } from 'vitest';
import { finalDeadlineMs } from './final-deadline.ts';

const mib = 1 << 20;

describe('the wait for a verdict', () => {
  it('is a few seconds where nothing is on its way, or no round was sent', () => {
    expect(finalDeadlineMs(0, [{ bytes: 50 * mib, durationMs: 60 }])).toBe(5000);
    expect(finalDeadlineMs(0, [])).toBe(5000);
  });

  it('is longer by twice what stands in front of it, at the rate of the largest round', () => {
    const rounds = [
      { bytes: 50 * mib, durationMs: 400_000 },
      { bytes: 27, durationMs: 10 },
    ];
    expect(finalDeadlineMs(4 * mib, rounds)).toBe(5000 + 2 * 32_000);
  });

  it('ends in any case', () => {
    expect(finalDeadlineMs(4 * mib, [{ bytes: 1, durationMs: 3_600_000 }])).toBe(600_000);
  });

  it('is finite where rounds had nothing to send', () => {
    expect(finalDeadlineMs(4 * mib, [{ bytes: 0, durationMs: 1 }])).toBe(5000);
  });
});
