import { type CoreModules, createMachineMemory, loadCore, MachineMemory, pageBytes } from '@skein/machine';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { PageKernel } from './page-kernel.ts';

const memoryMib = 64;
/** Page, another page, a delta, each with a page of nothing around it. */
const [before, after, delta, size] = [1, 3, 5, 7].map((index) => PageKernel.start + index * pageBytes) as [
  number,
  number,
  number,
  number,
];
let core: CoreModules;
let kernel: PageKernel;

beforeAll(async () => {
  core = await loadCore();
  const memory = new MachineMemory(core, createMachineMemory(core, memoryMib), memoryMib);
  kernel = new PageKernel(core, memory, size - PageKernel.start);
});

const pageAt = (pointer: number): Uint8Array => kernel.bytes.subarray(pointer, pointer + pageBytes);
const change = fc.record({
  at: fc.integer({ min: 0, max: pageBytes - 1 }),
  bytes: fc.uint8Array({ minLength: 1, maxLength: 64 }),
});

describe('the change of a page', () => {
  it('makes of the page before the page after, whatever changed', () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 40 }), (changes) => {
        pageAt(before).fill(0x5a);
        pageAt(after).set(pageAt(before));
        for (const { at, bytes } of changes) pageAt(after).set(bytes.subarray(0, pageBytes - at), at);
        const length = kernel.encodeDelta(before, after, delta, pageBytes);
        expect(length).toBeGreaterThanOrEqual(0);
        expect(kernel.applyDelta(delta, length, before)).toBe(true);
        expect(Buffer.compare(pageAt(before), pageAt(after))).toBe(0);
      }),
    );
  });

  it('takes 12 bytes for a counter, nothing for a page that is the same, and is given up where it would be long', () => {
    pageAt(before).fill(1);
    pageAt(after).fill(1);
    expect(kernel.encodeDelta(before, after, delta, pageBytes)).toBe(0);
    pageAt(after)[800] = 9;
    expect(kernel.encodeDelta(before, after, delta, pageBytes)).toBe(12);
    pageAt(after).fill(2);
    expect(kernel.encodeDelta(before, after, delta, pageBytes / 2)).toBe(-1);
  });

  it('of a stranger changes nothing outside the page', () => {
    const words = fc.array(fc.integer({ min: 0, max: 0xffff }), { minLength: 2, maxLength: 12 });
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 300 }), words), (stranger) => {
        const bytes =
          stranger instanceof Uint8Array ? stranger : new Uint8Array(Uint16Array.from(stranger).buffer);
        kernel.bytes.fill(0x77, before - pageBytes, before + 2 * pageBytes);
        kernel.bytes.set(bytes, delta);
        kernel.applyDelta(delta, bytes.length, before);
        expect(pageAt(before - pageBytes).every((byte) => byte === 0x77)).toBe(true);
        expect(pageAt(before + pageBytes).every((byte) => byte === 0x77)).toBe(true);
      }),
    );
    // A run of no words, one past the page's end, one that is cut.
    for (const stranger of [
      [0, 0],
      [512, 1, 0, 0, 0, 0],
      [511, 2, 0, 0, 0, 0, 0, 0, 0, 0],
      [0, 1, 0, 0],
      [7],
    ]) {
      kernel.bytes.set(new Uint8Array(Uint16Array.from(stranger).buffer), delta);
      expect(kernel.applyDelta(delta, stranger.length * 2, before), `${stranger}`).toBe(false);
    }
  });
});
