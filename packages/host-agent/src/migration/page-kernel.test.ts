import {
  type CoreModules,
  createMachineMemory,
  loadCore,
  MachineMemory,
  pageBytes,
  pagesOf,
} from '@skein/machine';
import fc from 'fast-check';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { KernelLayout, PageKernel } from './page-kernel.ts';

const memoryMib = 64;
const layout = new KernelLayout();
/** Each with a page of nothing around it. */
const [before, after, delta] = [0, 1, 2].map(() => layout.take(3 * pageBytes) + pageBytes) as [
  number,
  number,
  number,
];
let core: CoreModules;
let kernel: PageKernel;

beforeAll(async () => {
  core = await loadCore();
  const memory = new MachineMemory(core, createMachineMemory(core, memoryMib), memoryMib);
  kernel = new PageKernel(core, memory, layout.end);
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
        const length = kernel.calls.encodeDelta(before, after, delta, pageBytes);
        expect(length).toBeGreaterThanOrEqual(0);
        expect(kernel.calls.applyDelta(delta, length, before)).toBe(1);
        expect(Buffer.compare(pageAt(before), pageAt(after))).toBe(0);
      }),
    );
  });

  it('takes 12 bytes for a counter, nothing for a page that is the same, and is given up where it would be long', () => {
    pageAt(before).fill(1);
    pageAt(after).fill(1);
    expect(kernel.calls.encodeDelta(before, after, delta, pageBytes)).toBe(0);
    pageAt(after)[800] = 9;
    expect(kernel.calls.encodeDelta(before, after, delta, pageBytes)).toBe(12);
    pageAt(after).fill(2);
    expect(kernel.calls.encodeDelta(before, after, delta, pageBytes / 2)).toBe(-1);
  });

  it('of a stranger changes nothing outside the page', () => {
    const words = fc.array(fc.integer({ min: 0, max: 0xffff }), { minLength: 2, maxLength: 12 });
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 300 }), words), (stranger) => {
        const bytes =
          stranger instanceof Uint8Array ? stranger : new Uint8Array(Uint16Array.from(stranger).buffer);
        kernel.bytes.fill(0x77, before - pageBytes, before + 2 * pageBytes);
        kernel.bytes.set(bytes, delta);
        kernel.calls.applyDelta(delta, bytes.length, before);
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
      expect(kernel.calls.applyDelta(delta, stranger.length * 2, before), `${stranger}`).toBe(0);
    }
  });
});

describe('copies of sent pages', () => {
  const pages = 20;
  const layout = new KernelLayout();
  const [page, slotOf, pageOf] = [layout.take(pageBytes), layout.take(4 * pages), layout.take(4 * pages)];
  const copies = layout.end;

  async function make(slots: number): Promise<PageKernel> {
    const machine = new MachineMemory(core, createMachineMemory(core, memoryMib), memoryMib);
    const made = new PageKernel(core, machine, copies + pages * pageBytes);
    made.calls.setCopies(slotOf, pageOf, copies, slots);
    return made;
  }

  function keep(made: PageKernel, number: number, value: number): void {
    made.bytes.fill(value, page, page + pageBytes);
    made.calls.keepCopy(number, page);
  }

  /** First byte of a page's copy; null if there is none. */
  function copyOf(made: PageKernel, number: number): number | null {
    const at = made.calls.copyOf(number);
    return at === 0 ? null : (made.bytes[at] ?? null);
  }

  it('are what was sent last, each in a place of its own, and never more than there are places', async () => {
    const moves = fc.array(
      fc.record({
        page: fc.integer({ min: 0, max: pages - 1 }),
        move: fc.constantFrom('keep', 'keep', 'drop'),
        value: fc.integer({ min: 0, max: 255 }),
      }),
      { maxLength: 200 },
    );
    await fc.assert(
      fc.asyncProperty(moves, fc.integer({ min: 1, max: pages }), async (list, slots) => {
        const made = await make(slots);
        const kept = new Map<number, number>();
        for (const { page: number, move, value } of list) {
          if (move === 'keep') {
            keep(made, number, value);
            kept.set(number, value);
            expect(copyOf(made, number)).toBe(value);
          } else {
            made.calls.dropCopy(number);
            expect(copyOf(made, number)).toBeNull();
          }
          const present = Array.from({ length: pages }, (_, other) => other).filter(
            (other) => copyOf(made, other) !== null,
          );
          for (const other of present) expect(copyOf(made, other)).toBe(kept.get(other));
          expect(present.length).toBeLessThanOrEqual(slots);
        }
      }),
      { numRuns: 30 },
    );
  });

  it('go the oldest first', async () => {
    const made = await make(2);
    for (const number of [1, 2, 3]) keep(made, number, number);
    expect([1, 2, 3].map((number) => copyOf(made, number))).toEqual([null, 2, 3]);
    keep(made, 4, 4);
    expect([2, 3, 4].map((number) => copyOf(made, number))).toEqual([null, 3, 4]);
  });

  it('are none where there is no place', async () => {
    const made = await make(0);
    keep(made, 1, 1);
    expect(copyOf(made, 1)).toBeNull();
  });
});

describe('pages that are not zero', () => {
  const words = 4;
  const [bitmap, found, scratch] = [words * 4, words * 4, pageBytes].map((bytes) => layout.take(bytes)) as [
    number,
    number,
    number,
  ];
  let memory: MachineMemory;
  let finder: PageKernel;

  beforeEach(() => {
    memory = new MachineMemory(core, createMachineMemory(core, memoryMib), memoryMib);
    finder = new PageKernel(core, memory, layout.end);
  });

  const find = (pages: Uint32Array, first: number): number[] => {
    finder.writeWords(bitmap, pages);
    const count = finder.calls.findNonzero(bitmap, words, first, found, scratch);
    const all = [...pagesOf(finder.readWords(found, words))].map((page) => first + page);
    expect(all).toHaveLength(count);
    return all;
  };

  it('are found wherever in them it stands, among those that were asked for', () => {
    const place = fc.record({
      page: fc.integer({ min: 32, max: 32 + words * 32 - 1 }),
      at: fc.integer({ min: 0, max: pageBytes - 1 }),
    });
    const masks = fc.array(fc.integer({ min: 0, max: 0xffff_ffff }), { minLength: words, maxLength: words });
    fc.assert(
      fc.property(fc.array(place, { maxLength: 40 }), masks, (places, mask) => {
        memory.ram.fill(0, 0, 256 * pageBytes);
        for (const { page, at } of places) memory.page(page)[at] = 1;
        const asked = new Set([...pagesOf(Uint32Array.from(mask))].map((page) => 32 + page));
        const expected = [...new Set(places.map(({ page }) => page))].filter((page) => asked.has(page));
        expect(find(Uint32Array.from(mask), 32)).toEqual(expected.sort((a, b) => a - b));
      }),
    );
  });

  it('are none that the guest said it does not need', () => {
    memory.page(3).fill(1);
    memory.page(4).fill(1);
    new Uint32Array(memory.wasm.buffer, memory.freeAddress, 1)[0] = 1 << 3;
    expect(find(new Uint32Array(words).fill(0xffff_ffff), 0)).toEqual([4]);
  });
});
