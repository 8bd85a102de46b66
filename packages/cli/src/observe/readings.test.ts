import { describe, expect, it } from 'vitest';
import { brokenCount, parseEchoReply, parseTick } from './readings.ts';

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
  it('a count that skips, repeats or goes back is told with its place', () => {
    const counted = (...counters: number[]) => counters.map((counter) => ({ sequence: counter }));
    expect(brokenCount(counted(7, 8, 9))).toBeNull();
    expect(brokenCount(counted(7, 9))).toBe('after 7 came 9');
    expect(brokenCount(counted(7, 8, 8))).toBe('after 8 came 8');
    expect(brokenCount(counted(7, 1))).toBe('after 7 came 1');
  });
});
