import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { programKinds } from './certified-name.ts';
import { formatJoinToken, freshJoinToken, hashOfSecret, isSecretOf, parseJoinToken } from './join-token.ts';

const authorityHash = 'a'.repeat(43);

describe('a join token', () => {
  it('is read back as it was written, to the second', () => {
    fc.assert(
      fc.property(fc.constantFrom(...programKinds), fc.nat(4_000_000_000), (kind, seconds) => {
        const token = freshJoinToken({ kind, expiresAtMs: seconds * 1000, authorityHash });
        expect(parseJoinToken(`${formatJoinToken(token)}\n`)).toEqual(token);
      }),
    );
  });

  it('that is none is refused, and what it says is not repeated', () => {
    const text = formatJoinToken(freshJoinToken({ kind: 'agent', expiresAtMs: 5000, authorityHash }));
    const spoilt = [
      '',
      'a'.repeat(64),
      text.slice(0, -1),
      `${text}.more`,
      text.replace('agent', 'root'),
      text.replace('skein1', 'skein2'),
    ];
    for (const one of spoilt) {
      try {
        parseJoinToken(one);
        expect.unreachable();
      } catch (error) {
        expect(error).toMatchObject({ code: 'join.token-invalid' });
        if (one !== '') expect(String(error)).not.toContain(one);
      }
    }
  });

  it('is known by its secret’s hash, and by no other secret', () => {
    const [one, other] = [0, 1].map(() => freshJoinToken({ kind: 'agent', expiresAtMs: 0, authorityHash }));
    const hash = hashOfSecret(one?.secret ?? '');
    expect(isSecretOf(hash, one?.secret ?? '')).toBe(true);
    expect(isSecretOf(hash, other?.secret ?? '')).toBe(false);
    expect(isSecretOf(hash, '')).toBe(false);
  });
});
