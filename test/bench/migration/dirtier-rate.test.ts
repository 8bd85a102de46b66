import { describe, expect, it } from 'vitest';
import { isSteady, rateShortfall, reportedRates } from './dirtier-rate.ts';

const dirtier = { mib: 64, pagesPerS: 50_000, mode: 'counter' } as const;

describe('the dirtier’s rate', () => {
  it('is read from its reports, wherever they stand among other lines', () => {
    expect(reportedRates('# dirtier: 49000 48950\r\nt 7 1\r\ndirtier: 99000 50000\r\ndirtier: 1')).toEqual([
      48_950, 50_000,
    ]);
  });

  it('is held from nine tenths on, by the last report', () => {
    expect(rateShortfall('dirtier: 1000 1000\r\ndirtier: 46000 45000\r\n', dirtier)).toBeNull();
    expect(rateShortfall('dirtier: 50000 50000\r\ndirtier: 94999 44999\r\n', dirtier)).toMatch(/44999 pages/);
    expect(rateShortfall('', dirtier)).toMatch(/no rate/);
  });

  it('is steady neither while memory is touched for the first time nor while that is made up for', () => {
    const warmsUp = 'dirtier: 7013 6775\r\ndirtier: 14027 6663\r\n';
    const catchesUp = `${warmsUp}dirtier: 154400 140306\r\n`;
    expect(isSteady('', dirtier)).toBe(false);
    expect(isSteady(warmsUp, dirtier)).toBe(false);
    expect(isSteady(catchesUp, dirtier)).toBe(false);
    expect(isSteady(`${catchesUp}dirtier: 204450 50000\r\n`, dirtier)).toBe(true);
  });
});
