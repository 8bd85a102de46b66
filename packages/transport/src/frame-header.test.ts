import { frameHeadroomBytes } from '@skein/shared';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as ws from 'ws';
import { putFrameHeader } from './frame-header.ts';

/** Exported by ws, and unknown to its types. */
const { Sender } = ws as unknown as {
  readonly Sender: { frame(data: Buffer, options: Readonly<Record<string, unknown>>): Buffer[] };
};

describe('the header of a frame in place', () => {
  it('is what ws puts in front of it, and the payload stays as it is', () => {
    const lengths = fc.oneof(
      fc.integer({ min: 1, max: 300 }),
      fc.integer({ min: 65_400, max: 65_700 }),
      fc.integer({ min: 1, max: 200_000 }),
    );
    fc.assert(
      fc.property(lengths, (length) => {
        const memory = new Uint8Array(frameHeadroomBytes + length).fill(7);
        const frame = putFrameHeader(memory.subarray(frameHeadroomBytes));
        const options = { fin: true, opcode: 2, mask: false, readOnly: true, rsv1: false };
        expect(Buffer.compare(frame, Buffer.concat(Sender.frame(Buffer.alloc(length, 7), options)))).toBe(0);
        expect(frame.buffer).toBe(memory.buffer);
      }),
      { examples: [[125], [126], [65_535], [65_536]] },
    );
  });

  it('needs its room', () => {
    expect(() => putFrameHeader(new Uint8Array(100))).toThrow('room for its header');
  });
});
