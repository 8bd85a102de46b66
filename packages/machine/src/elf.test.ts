import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { makeElf } from './devices/test-support/make-images.ts';
import { readElf } from './elf.ts';
import { MachineError } from './machine-error.ts';

const image = {
  entry: 0x8000_0000n,
  physicalAddress: 0x8000_0000,
  bytes: Uint8Array.of(1, 2, 3),
  memoryBytes: 100,
};

describe('an ELF file', () => {
  it('yields its entry point and loadable segments with their zeroed rest', () => {
    const elf = readElf(makeElf(image));
    expect(elf.entry).toBe(0x8000_0000n);
    expect(elf.segments).toEqual([
      {
        physicalAddress: 0x8000_0000,
        virtualAddress: 0x8000_0000n,
        bytes: Uint8Array.of(1, 2, 3),
        memoryBytes: 100,
      },
    ]);
  });

  it.each<[string, (file: Uint8Array) => void, RegExp]>([
    ['for x86-64', (file) => file.set([62, 0], 18), /x86-64.*riscv64/],
    ['for an unknown machine', (file) => file.set([0xe7, 3], 18), /ELF machine 999/],
    ['of 32 bits', (file) => file.set([1], 4), /32-bit/],
    ['of big-endian order', (file) => file.set([2], 5), /big-endian/],
    ['not linked', (file) => file.set([1], 16), /not an executable/],
    ['with odd program headers', (file) => file.set([32], 54), /program header/],
    ['whose segment grows in the file', (file) => file.set([1, 0], 64 + 40), /larger in the file/],
    ['with nothing to load', (file) => file.set([4], 64), /nothing to load/],
  ])('%s is refused with its reason', (_title, spoil, message) => {
    const file = makeElf(image);
    spoil(file);
    expect(() => readElf(file)).toThrow(message);
  });

  it('cut anywhere is refused as truncated, never read beyond its end', () => {
    const file = makeElf(image);
    for (let length = 4; length < file.length; length++) {
      expect(() => readElf(file.subarray(0, length))).toThrow(/truncated/);
    }
  });

  it('of garbage is refused or read, with no other exception', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat({ max: 122 }), fc.nat({ max: 255 })), { maxLength: 8 }),
        (changes) => {
          const file = makeElf(image);
          for (const [at, value] of changes) file[at] = value;
          try {
            for (const segment of readElf(file).segments) {
              expect(segment.bytes.length).toBeLessThanOrEqual(file.length);
            }
          } catch (error) {
            expect(error).toBeInstanceOf(MachineError);
          }
        },
      ),
    );
  });
});
