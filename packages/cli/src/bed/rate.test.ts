import { describe, expect, it } from 'vitest';
import { formatRate, parseLoss, parseRate } from './rate.ts';

describe('rates and losses', () => {
  it('are read as tc reads them, and written the same way', () => {
    expect(parseRate('100mbit')).toBe(100e6);
    expect(parseRate('1.5gbit')).toBe(1.5e9);
    expect(parseRate('512kbit')).toBe(512e3);
    for (const text of ['100mbit', '1.5gbit', '512kbit', '8kbit'])
      expect(formatRate(parseRate(text))).toBe(text);
    expect(parseLoss('1%')).toBe(0.01);
    expect(parseLoss('0.5%')).toBe(0.005);
  });

  it('are refused with an example where they are none', () => {
    for (const text of ['100', '100mb', '-1mbit', '1bit', '200gbit', 'fast', '']) {
      expect(() => parseRate(text)).toThrow(/100mbit/);
    }
    for (const text of ['1', '101%', '-1%', 'some']) expect(() => parseLoss(text)).toThrow(/1%/);
  });
});
