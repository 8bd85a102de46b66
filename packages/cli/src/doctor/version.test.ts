import { describe, expect, it } from 'vitest';
import { isOlder, parseVersion } from './version.ts';

describe('versions', () => {
  it('are the numbers at the front of what a program prints', () => {
    expect(parseVersion('20.10.24+dfsg1')).toEqual([20, 10, 24]);
    expect(parseVersion('v2.26.1-4')).toEqual([2, 26, 1]);
    expect(parseVersion('2.20')).toEqual([2, 20, 0]);
    expect(parseVersion('dev')).toBeNull();
  });

  it('are compared number by number', () => {
    expect(isOlder([2, 9, 0], [2, 20])).toBe(true);
    expect(isOlder([2, 20, 0], [2, 20])).toBe(false);
    expect(isOlder([20, 10, 24], [20, 10])).toBe(false);
    expect(isOlder([19, 99, 0], [20, 10])).toBe(true);
  });
});
