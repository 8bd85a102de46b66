import { describe, expect, it } from 'vitest';
import { rateShortfall, reportedRates } from './dirtier-rate.ts';

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
});
