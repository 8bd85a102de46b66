import { frameHeadroomBytes } from '@skein/shared';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { finalBinary, putFrameHeader } from './frame-header.ts';
import { frameByWs } from './ws-frame.fixture.ts';

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
        expect(Buffer.compare(frame, frameByWs(Buffer.alloc(length, 7), finalBinary))).toBe(0);
        expect(frame.buffer).toBe(memory.buffer);
      }),
      { examples: [[125], [126], [65_535], [65_536]] },
    );
  });

  it('needs its room', () => {
    expect(() => putFrameHeader(new Uint8Array(100))).toThrow('room for its header');
  });
});
