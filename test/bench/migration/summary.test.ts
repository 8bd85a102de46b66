import { describe, expect, it } from 'vitest';
import type { Figures, Run } from './run.ts';
import { bestOf, type SettingSummary, summarize, summarizeSleeps } from './summary.ts';

const figures = (guestGapMs: number, totalMs = 100): Figures => ({
  totalMs,
  guestGapMs,
  controlGapMs: 2,
  downtimeMs: 5,
  bytes: 1000,
  cpuS: 0.5,
  throttlePercentMax: 0,
});
const moved = (guestGapMs: number, isConverged = true): Run => ({
  kind: 'moved',
  isConverged,
  figures: figures(guestGapMs),
  remark: '',
});
const setting = (name: string, runs: readonly Run[]): SettingSummary => ({
  setting: name,
  ...summarize(runs),
});

describe('a cell’s summary', () => {
  it('has the medians of the runs that moved, and the share of those that count which converged', () => {
    const runs: Run[] = [
      moved(10),
      moved(30, false),
      moved(20),
      { kind: 'stayed', remark: '' },
      { kind: 'void', remark: 'too slow' },
    ];
    expect(summarize(runs)).toMatchObject({
      guestGapMs: 20,
      converged: 0.5,
      runs: 5,
      voidRuns: 1,
      lostRuns: 0,
    });
  });

  it('has no figures where no run counts', () => {
    expect(summarize([{ kind: 'void', remark: '' }])).toMatchObject({ guestGapMs: null, converged: null });
  });

  it('counts a guest that was lost: what it cost is in the medians, its gap is unknown', () => {
    const lost = { ...figures(0, 300), guestGapMs: null };
    const runs: Run[] = [moved(10), { kind: 'lost', isConverged: true, figures: lost, remark: '' }];
    expect(summarize(runs)).toMatchObject({
      guestGapMs: 10,
      gapRuns: 1,
      totalMs: 200,
      converged: 1,
      lostRuns: 1,
    });
  });

  it('tells which share of the sleepers woke', () => {
    const sleep = (wokeOnTime: boolean) =>
      ({ kind: 'slept', wokeOnTime, figures: { ...figures(1), guestGapMs: null }, remark: '' }) as const;
    const summary = summarizeSleeps([sleep(true), sleep(false), sleep(true), { kind: 'void', remark: '' }]);
    expect(summary).toMatchObject({ wokeOnTime: 0.67, runs: 4, voidRuns: 1, lostRuns: 1, guestGapMs: null });
  });
});

describe('the best of several settings', () => {
  it('is the lowest of each figure, and says whose it is', () => {
    const best = bestOf([
      setting('slow', [moved(5)]),
      { ...setting('fast', [moved(50)]), totalMs: 20, controlGapMs: 1 },
    ]);
    expect(best).toMatchObject({ guestGapMs: 5, totalMs: 20, controlGapMs: 2 });
    expect(best.setting).toMatchObject({ guestGapMs: 'slow', totalMs: 'fast', controlGapMs: 'slow' });
  });

  it('leaves out settings that converge less often than others', () => {
    const best = bestOf([
      setting('never', [moved(1), { kind: 'stayed', remark: '' }]),
      setting('always', [moved(50)]),
    ]);
    expect(best).toMatchObject({ guestGapMs: 50, converged: 1, setting: { guestGapMs: 'always' } });
  });

  it('is nothing where nothing counts', () => {
    expect(bestOf([setting('none', [])])).toMatchObject({ guestGapMs: null, setting: { guestGapMs: null } });
  });
});
