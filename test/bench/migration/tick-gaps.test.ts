import { describe, expect, it } from 'vitest';
import { controlWindow, longestGapMs, type Tick, ticksIn } from './tick-gaps.ts';

const at = (...times: number[]): Tick[] => times.map((atMs, index) => ({ counter: index + 1, atMs }));

describe('ticks', () => {
  it('are whole lines, also behind a prompt and among other programs’ lines', () => {
    const text = '# t 1 1000\r\ndirtier: 50000 49990\r\nt 2 2000\r\nweb1:~# \x1b[6nt 3 3000\r\nt 4 40';
    expect(ticksIn(text, 7)).toEqual([
      { counter: 1, atMs: 7 },
      { counter: 2, atMs: 7 },
      { counter: 3, atMs: 7 },
    ]);
  });
});

describe('the longest gap', () => {
  it('is the longest time between two arrivals in the window', () => {
    expect(longestGapMs(at(0, 1, 2, 30, 31, 50, 51), { fromMs: 0, toMs: 40 })).toBe(28);
  });

  it('counts whole when it began before the window or ended behind it', () => {
    expect(longestGapMs(at(0, 20, 21, 22), { fromMs: 10, toMs: 21 })).toBe(20);
    expect(longestGapMs(at(0, 1, 2, 40), { fromMs: 0, toMs: 5 })).toBe(38);
  });

  it('leaves out what is outside of the window', () => {
    expect(longestGapMs(at(0, 90, 91, 92, 93, 200), { fromMs: 91.5, toMs: 92.5 })).toBe(1);
  });

  it('is unknown while no tick has come behind the window: the guest may be lost', () => {
    expect(longestGapMs(at(0, 1, 2), { fromMs: 0, toMs: 5 })).toBeNull();
    expect(longestGapMs([], { fromMs: 0, toMs: 5 })).toBeNull();
  });
});

describe('the control window', () => {
  it('is as long as the migration, before it, and ends with a tick', () => {
    const ticks = at(0, 10, 20, 29, 60, 61);
    expect(controlWindow(ticks, { fromMs: 30, toMs: 45 })).toEqual({ fromMs: 15, toMs: 29 });
  });

  it('is no longer than what was observed', () => {
    expect(controlWindow(at(5, 10, 20), { fromMs: 21, toMs: 500 })).toEqual({ fromMs: 5, toMs: 20 });
  });
});
