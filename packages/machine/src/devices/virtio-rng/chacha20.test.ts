import { createCipheriv } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chachaBlock } from './chacha20.ts';

describe('the ChaCha20 block function', () => {
  it('gives the key stream of RFC 8439, "Test Vector for the ChaCha20 Block Function"', () => {
    const key = Uint8Array.from({ length: 32 }, (_, index) => index);
    const nonce = Uint8Array.from([0, 0, 0, 9, 0, 0, 0, 0x4a, 0, 0, 0, 0]);
    expect(Buffer.from(chachaBlock(key, 1, nonce)).toString('hex')).toBe(
      '10f1e7e4d13b5915500fdd1fa32071c4c7d1f4c733c068030422aa9ac3d46c4e' +
        'd2826446079faa0914c2d705d98b02a2b5129cd1de164eb9cbd083e8a2503c4e',
    );
  });

  it('agrees with OpenSSL’s cipher on any key, counter and nonce', () => {
    const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
    fc.assert(
      fc.property(bytes(32), fc.nat(0xffff_ffff), bytes(12), (key, counter, nonce) => {
        const start = Buffer.alloc(16);
        start.writeUInt32LE(counter);
        start.set(nonce, 4);
        const expected = createCipheriv('chacha20', key, start).update(new Uint8Array(64));
        expect(Buffer.from(chachaBlock(key, counter, nonce))).toEqual(expected);
      }),
    );
  });

  it('refuses keys and nonces of another length', () => {
    expect(() => chachaBlock(new Uint8Array(31), 0, new Uint8Array(12))).toThrow(RangeError);
    expect(() => chachaBlock(new Uint8Array(32), 0, new Uint8Array(8))).toThrow(RangeError);
  });
});
