import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  brokenCount,
  longestGapMs,
  lostReadings,
  observedGap,
  parseEchoReply,
  parseTick,
  type Reading,
  spanMs,
} from './readings.ts';

describe('what guests print', () => {
  it('is read only when a line is whole', () => {
    expect(parseTick('t 17 123456789')).toEqual({ sequence: 17, guestNs: 123_456_789n });
    expect(parseEchoReply('p 3 512 99')).toEqual({ sequence: 3, roundTripUs: 512, guestNs: 99n });
    for (const line of ['t 17', 't 17 1x', 'at 1 2', 'g1:~# t 1 2', 'p 1 2', 'p 1 2 3 4', '']) {
      expect([parseTick(line), parseEchoReply(line)]).toEqual([null, null]);
    }
  });
});

describe('figures from readings', () => {
  it('the longest gap is the largest difference of neighbours', () => {
    const at = (...ms: number[]) => ms.map((value) => ({ guestNs: BigInt(value) * 1_000_000n }));
    expect(longestGapMs(at(0, 10, 95, 105))).toBe(85);
    expect(longestGapMs(at(5))).toBe(0);
  });

  it('lost pings are those between the first and the last answer that have none, in whatever order answers come', () => {
    const replies = fc.uniqueArray(fc.integer({ min: 1, max: 500 }), { minLength: 1 });
    fc.assert(
      fc.property(replies, (sequences) => {
        const lost = lostReadings(sequences.map((sequence) => ({ sequence })));
        const all = Math.max(...sequences) - Math.min(...sequences) + 1;
        expect(lost).toBe(all - sequences.length);
      }),
    );
  });

  it('a count that skips, repeats or goes back is told with its place', () => {
    const counted = (...counters: number[]) => counters.map((counter) => ({ sequence: counter }));
    expect(brokenCount(counted(7, 8, 9))).toBeNull();
    expect(brokenCount(counted(7, 9))).toBe('after 7 came 9');
    expect(brokenCount(counted(7, 8, 8))).toBe('after 8 came 8');
    expect(brokenCount(counted(7, 1))).toBe('after 7 came 1');
  });
});

describe('the gap that is observed', () => {
  const at = (...ms: number[]): Reading[] =>
    ms.map((value, index) => ({ sequence: index + 1, guestNs: BigInt(value) * 1_000_000n }));

  it('is of the readings from the one before the order on, its control of as long a time before', () => {
    const readings = at(0, 40, 50, 51, 53, 62, 63);
    expect(observedGap(readings, 3)).toEqual({ gapMs: 9, controlGapMs: 10, readings: 4, lost: 0 });
    expect(observedGap(readings, 4)).toMatchObject({ gapMs: 9, controlGapMs: 2 });
    expect(observedGap(at(0, 100, 101), 1)).toMatchObject({ controlGapMs: null });
  });

  it('is none where nothing was heard again', () => {
    expect(observedGap(at(1, 2), 1)).toBeNull();
    expect(observedGap([], 0)).toBeNull();
  });

  it('counts what is missing after the order, not before', () => {
    const readings = at(0, 1, 2, 3, 9, 10).filter(({ sequence }) => sequence !== 2 && sequence !== 5);
    expect(observedGap(readings, 2)).toEqual({ gapMs: 7, controlGapMs: 2, readings: 2, lost: 1 });
    expect(observedGap(readings, 0)).toMatchObject({ gapMs: 7, readings: 4, lost: 2 });
  });

  it('is never less than any pause that the guest made, whatever the ticks', () => {
    const pauses = fc.array(fc.integer({ min: 1, max: 1000 }), { minLength: 1, maxLength: 50 });
    fc.assert(
      fc.property(pauses, fc.nat(), (ms, place) => {
        let now = 0;
        const readings = at(0, ...ms.map((pause) => (now += pause)));
        const first = place % ms.length;
        const gap = observedGap(readings, first);
        expect(gap?.gapMs).toBe(Math.max(...ms.slice(first)));
        expect(gap?.controlGapMs ?? 0).toBeLessThanOrEqual(spanMs(readings.slice(first)));
      }),
    );
  });
});
