import { SECTOR_BYTES } from '@skein/machine';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OverlayDisk } from './overlay-disk.ts';

const sectors = 40;
const size = sectors * SECTOR_BYTES;
const noise = (length: number, seed: number): Uint8Array =>
  Uint8Array.from({ length }, (_, index) => (index * 31 + seed * 7 + (index >> 8)) & 0xff);
const original = noise(size, 1);

function overlay(): OverlayDisk {
  const base = {
    capacityBytes: size,
    isReadOnly: true,
    read: (offset: number, target: Uint8Array): void => {
      target.set(original.subarray(offset, offset + target.length));
    },
    write: refuse,
    zero: refuse,
    flush: refuse,
  };
  return new OverlayDisk(base, false);
}

function refuse(): never {
  throw new Error('the original is written to');
}

function contentOf(disk: OverlayDisk): Uint8Array {
  const bytes = new Uint8Array(size);
  disk.read(0, bytes);
  return bytes;
}

describe('an overlay over a disk', () => {
  it('holds what is written to it, goes back to what was saved, and leaves the original alone', () => {
    const action = fc.record({
      type: fc.constantFrom('write', 'zero', 'save', 'restore'),
      at: fc.nat(size - 1),
      length: fc.nat(3 * SECTOR_BYTES),
      seed: fc.nat(255),
    });
    fc.assert(
      fc.property(fc.array(action, { maxLength: 30 }), (actions) => {
        const disk = overlay();
        const expected = original.slice();
        const saved = [{ restore: disk.save(), content: expected.slice() }];
        for (const { type, at, length, seed } of actions) {
          const count = Math.min(length, size - at);
          if (type === 'write') {
            disk.write(at, noise(count, seed));
            expected.set(noise(count, seed), at);
          } else if (type === 'zero') {
            disk.zero(at, count);
            expected.fill(0, at, at + count);
          } else if (type === 'save') saved.push({ restore: disk.save(), content: expected.slice() });
          else {
            const back = saved[seed % saved.length];
            back?.restore();
            if (back !== undefined) expected.set(back.content);
          }
          expect(Buffer.compare(contentOf(disk), expected)).toBe(0);
        }
      }),
    );
  });
});
