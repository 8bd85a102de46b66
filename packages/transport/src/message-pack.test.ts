import fc from 'fast-check';
import { Packr, Unpackr } from 'msgpackr';
import { describe, expect, it } from 'vitest';
import { flawOfMessagePack } from './message-pack.ts';

const packr = new Packr({ useRecords: false, variableMapSize: true });
const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true, copyBuffers: true });

const bytesOf = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'));

const plain = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 5 },
    fc.string({ maxLength: 300 }),
    fc.integer(),
    fc.double(),
    fc.boolean(),
    fc.constant(null),
    fc.constant(undefined),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
    fc.uint8Array({ maxLength: 300 }),
    fc.array(tie('value'), { maxLength: 20 }),
    fc.dictionary(fc.string({ maxLength: 40 }), tie('value'), { maxKeys: 20 }),
  ),
})).value;

describe('a look through MessagePack', () => {
  it('lets every plain value through, and none of its beginnings', () => {
    fc.assert(
      fc.property(plain, fc.nat(), (value, cut) => {
        const packed = packr.pack(value);
        expect(flawOfMessagePack(packed)).toBeNull();
        expect(flawOfMessagePack(packed.subarray(0, cut % packed.length))).not.toBeNull();
      }),
    );
  });

  it('lets nothing through that cannot be read', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 60 }), (bytes) => {
        if (flawOfMessagePack(bytes) !== null) return;
        try {
          unpackr.unpack(bytes);
        } catch (error) {
          // Maps whose keys are no strings have no form in JavaScript; msgpackr says so.
          expect(String(error)).toMatch(/property type|Expected string/);
        }
      }),
      { numRuns: 5000 },
    );
  });

  it.each([
    ['an array of 33 million elements in five bytes', 'dd01ffffff'],
    ['a map of four thousand million entries', 'dfffffffff'],
    ['a string longer than the message', 'db7fffffff61'],
    ['bytes longer than the message', 'c6ffffffff00'],
    ['a length field that is cut', 'dc01'],
    ['a record definition', 'd4724093a161a162a163'],
    ['a regular expression', 'c7027892a161a0'],
    ['a timestamp', 'd6ff00000000'],
    ['a value too many', 'c0c0'],
    ['the byte that MessagePack never uses', 'c1'],
    ['nothing', ''],
  ])('refuses %s', (_, hex) => {
    expect(flawOfMessagePack(bytesOf(hex))).not.toBeNull();
  });

  it('refuses what is nested too deeply for a reader that calls itself', () => {
    expect(flawOfMessagePack(new Uint8Array(100_000).fill(0x91))).toBe('it is nested too deeply');
  });
});
