import { describe, expect, it } from 'vitest';
import { formatMs, formatSize } from './figures.ts';

describe('measured figures', () => {
  it.each([
    [0, '0 KiB'],
    [7500, '7.3 KiB'],
    [49_000_000, '46.7 MiB'],
  ])('of %d bytes read %s', (bytes, text) => {
    expect(formatSize(bytes)).toBe(text);
  });

  it.each([
    [0.534, '0.53 ms'],
    [349.2, '349 ms'],
    [-0.031, '-0.03 ms'],
  ])('of %d ms read %s', (ms, text) => {
    expect(formatMs(ms)).toBe(text);
  });
});
