import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Authentication, type Claim, isProven, prove, readTokenFile } from './authentication.ts';

const key: Authentication = { kind: 'token', token: new Uint8Array(randomBytes(32)) };

const claim: Claim = {
  side: 'dialer',
  protocol: 'storage',
  role: 'agent',
  name: 'h1',
  bootId: 'a'.repeat(32),
  versions: { min: 1, max: 2, chosen: 2 },
  dialerNonce: new Uint8Array(32).fill(1),
  listenerNonce: new Uint8Array(32).fill(2),
};

describe('a proof', () => {
  it('is this one', () => {
    const fixed: Authentication = { kind: 'token', token: new Uint8Array(32).fill(7) };
    expect(Buffer.from(prove(fixed, claim)).toString('hex')).toBe(
      'af7d7a85ea6cc1922158147300df87279c0832a38a49a60e74974b452d1fe259',
    );
  });

  it('holds for exactly what was claimed: nothing in it can be changed, reflected or replayed', () => {
    const proof = prove(key, claim);
    expect(isProven(key, claim, proof)).toBe(true);
    const others: Partial<Claim>[] = [
      { side: 'listener' },
      { protocol: 'migration' },
      { role: 'coordinator' },
      { name: 'h2' },
      { bootId: 'b'.repeat(32) },
      { versions: { min: 1, max: 2, chosen: 1 } },
      { versions: { min: 1, max: 1, chosen: 1 } },
      { dialerNonce: claim.listenerNonce, listenerNonce: claim.dialerNonce },
      { listenerNonce: new Uint8Array(32) },
    ];
    for (const other of others) expect(isProven(key, { ...claim, ...other }, proof)).toBe(false);
  });

  it('does not hold if one bit of it, or its length, differs', () => {
    const proof = prove(key, claim);
    fc.assert(
      fc.property(fc.nat(31), fc.nat(7), (at, bit) => {
        const flipped = Uint8Array.from(proof, (byte, index) => (index === at ? byte ^ (1 << bit) : byte));
        expect(isProven(key, claim, flipped)).toBe(false);
      }),
    );
    expect(isProven(key, claim, proof.subarray(0, 31))).toBe(false);
    expect(isProven(key, claim, new Uint8Array())).toBe(false);
  });
});

describe('a token file', () => {
  let directory = '';
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'skein-token-'));
  });
  afterAll(() => rm(directory, { recursive: true }));

  const written = async (text: string, mode: number): Promise<string> => {
    const path = join(directory, randomBytes(8).toString('hex'));
    await writeFile(path, text);
    await chmod(path, mode);
    return path;
  };

  it('holds 64 hexadecimal digits', async () => {
    const digits = randomBytes(32).toString('hex');
    expect(Buffer.from(await readTokenFile(await written(`${digits}\n`, 0o600))).toString('hex')).toBe(
      digits,
    );
  });

  it('is refused if others can read it', async () => {
    for (const mode of [0o640, 0o604, 0o666]) {
      const path = await written('0'.repeat(64), mode);
      await expect(readTokenFile(path)).rejects.toMatchObject({
        code: 'config.invalid',
        message: expect.stringContaining(`chmod 600 ${path}`),
      });
    }
  });

  it('is refused if it is not there or holds something else, and its text is not repeated', async () => {
    const missing = readTokenFile(join(directory, 'none'));
    await expect(missing).rejects.toMatchObject({ code: 'config.unreadable' });
    for (const text of ['', 'secret', 'f'.repeat(63), `${'f'.repeat(64)}0`, 'F'.repeat(64)]) {
      const error: unknown = await readTokenFile(await written(text, 0o600)).catch(
        (caught: unknown) => caught,
      );
      expect(error).toMatchObject({ code: 'config.invalid' });
      if (text.length > 0) expect((error as Error).message).not.toContain(text);
    }
  });
});
