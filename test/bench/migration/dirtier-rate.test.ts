import { describe, expect, it } from 'vitest';
import { rateFlaw, reportedRates } from './dirtier-rate.ts';

const dirtier = { mib: 64, pagesPerS: 50_000, mode: 'counter' } as const;

describe('the dirtier’s rate', () => {
  it('is read from its reports, wherever they stand among other lines', () => {
    expect(reportedRates('# dirtier: 49000 48950\r\nt 7 1\r\ndirtier: 99000 50000\r\ndirtier: 1')).toEqual([
      48_950, 50_000,
    ]);
  });

  it('is held from nine tenths on, by the last report', () => {
    expect(rateFlaw('dirtier: 1000 1000\r\ndirtier: 46000 45000\r\n', dirtier)).toBeNull();
    expect(rateFlaw('dirtier: 50000 50000\r\ndirtier: 94999 44999\r\n', dirtier)).toMatch(/44999 pages/);
    expect(rateFlaw('', dirtier)).toMatch(/no rate/);
  });

  it('is held neither while memory is touched for the first time nor while that is made up for', () => {
    const warmsUp = 'dirtier: 7013 6775\r\ndirtier: 14027 6663\r\n';
    const catchesUp = `${warmsUp}dirtier: 154400 140306\r\n`;
    expect(rateFlaw(warmsUp, dirtier)).toMatch(/6663 pages\/s, less/);
    expect(rateFlaw(catchesUp, dirtier)).toMatch(/140306 pages\/s, more/);
    expect(rateFlaw(`${catchesUp}dirtier: 204450 50000\r\n`, dirtier)).toBeNull();
  });
});
