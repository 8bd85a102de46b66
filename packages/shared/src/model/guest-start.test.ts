import { describe, expect, it } from 'vitest';
import { splitBootArguments } from './guest-start.ts';

describe('boot arguments', () => {
  it('are the kernel’s, but for those that tell the guest who it is', () => {
    expect(splitBootArguments('quiet skein.hostname=web1  loglevel=3 skein.run=ticker,1')).toEqual({
      identity: ['skein.hostname=web1', 'skein.run=ticker,1'],
      kernel: 'quiet loglevel=3',
    });
    expect(splitBootArguments('')).toEqual({ identity: [], kernel: '' });
    expect(splitBootArguments('skeined root=skein.x')).toEqual({
      identity: [],
      kernel: 'skeined root=skein.x',
    });
  });
});
