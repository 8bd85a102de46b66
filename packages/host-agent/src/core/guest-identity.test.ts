import { describe, expect, it } from 'vitest';
import { encodeIdentity } from './guest-identity.ts';

const entropy = Uint8Array.of(0, 0xab, 9);

describe('a guest’s identity', () => {
  it('is a line for each word, with entropy and time, and ends with a word of its own', () => {
    const bytes = encodeIdentity(['skein.hostname=web1', 'skein.run=ticker,100'], entropy, 123_456n);
    expect(Buffer.from(bytes).toString('latin1')).toBe(
      'skein.hostname=web1\nskein.run=ticker,100\nskein.entropy=00ab09\nskein.time=123456\nskein.end\n',
    );
  });

  it('cannot be cut short by a word that a person added', () => {
    const bytes = encodeIdentity(['skein.end', 'skein.ip=10.0.0.1/24'], entropy, 1n);
    expect(Buffer.from(bytes).toString('latin1').split('\n')).toEqual([
      'skein.ip=10.0.0.1/24',
      'skein.entropy=00ab09',
      'skein.time=1',
      'skein.end',
      '',
    ]);
  });
});
