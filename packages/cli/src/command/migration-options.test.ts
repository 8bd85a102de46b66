import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { addSettingOptions, bandwidthArgument, givenSettings } from './migration-options.ts';

describe('the bandwidth of a migration', () => {
  it.each([
    ['100mbit', 12_500_000],
    ['1gbit', 125_000_000],
    ['20MB', 20_000_000],
    ['20MB/s', 20_000_000],
    ['20MiB', 20_971_520],
    ['64KiB', 65_536],
  ])('%s is %d bytes a second', (text, bytesPerS) => {
    expect(bandwidthArgument(text)).toBe(bytesPerS);
  });

  it('is without a cap when none is asked for, which is not the same as not asking', async () => {
    const given = async (...args: readonly string[]): Promise<unknown> => {
      const command = addSettingOptions(new Command());
      await command.parseAsync(args, { from: 'user' });
      return givenSettings(command.opts());
    };
    expect(await given('--bandwidth', 'none')).toEqual({ bandwidthCapBytesPerS: null });
    expect(await given()).toEqual({});
  });

  it.each(['', '100', '63KiB', '200gbit', '-5MB', '5 MB', '1e3MB', '20M'])('is not %j', (text) => {
    expect(() => bandwidthArgument(text)).toThrow(/20MiB/);
  });
});
