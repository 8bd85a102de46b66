import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LastBytes } from './last-bytes.ts';

describe('the last bytes of a stream', () => {
  it('are those of all that was written, whatever the pieces', () => {
    const pieces = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 60 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 24 }), pieces, (bytesMax, written) => {
        const last = new LastBytes(bytesMax);
        let whole = Buffer.alloc(0);
        for (const piece of written) {
          last.append(piece);
          whole = Buffer.concat([whole, piece]);
          expect(Buffer.from(last.bytes).equals(whole.subarray(-bytesMax))).toBe(true);
        }
      }),
    );
  });

  it('do not change in the hands of who has them', () => {
    const last = new LastBytes(4);
    last.append(Buffer.from('abcd'));
    const { bytes } = last;
    last.append(Buffer.from('efgh'));
    last.append(Buffer.from('ijkl'));
    expect(Buffer.from(bytes).toString()).toBe('abcd');
  });

  it('are no view of more than they are: a message with them carries nothing else', () => {
    const last = new LastBytes(4);
    last.append(Buffer.from('abcdefgh'));
    expect(last.bytes.buffer.byteLength).toBe(4);
  });
});
