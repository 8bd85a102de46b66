import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createMachineMemory, loadCore } from './core-module.ts';
import { LivePages } from './live-pages.ts';
import { MachineMemory, pageBytes } from './machine-memory.ts';

const memoryMib = 64;
const rangePages = 64;

describe('the hashes of pages where they stand', async () => {
  const core = await loadCore();
  const memory = new MachineMemory(core, createMachineMemory(core, memoryMib), memoryMib);
  const live = new LivePages(core, memory);
  const hashOf = (page: number): bigint => live.pageHash(memory.ramAddress + page * pageBytes, page);

  it('are summed over the pages of a range, each keyed by its number, and none that was never written', () => {
    const written = fc.record({
      page: fc.integer({ min: 0, max: rangePages - 1 }),
      value: fc.integer({ min: 0, max: 255 }),
    });
    const range = {
      first: fc.integer({ min: 0, max: rangePages - 1 }),
      count: fc.integer({ min: 0, max: rangePages }),
    };
    const touched = new Uint32Array(memory.wasm.buffer, memory.touchedAddress, 2 * (rangePages / 32));
    fc.assert(
      fc.property(fc.array(written, { maxLength: 20 }), fc.record(range), (pages, { first, count }) => {
        memory.ram.fill(0, 0, 2 * rangePages * pageBytes);
        touched.fill(0);
        for (const { page, value } of pages) {
          memory.page(page).fill(value);
          touched[page >> 5] = (touched[page >> 5] ?? 0) | (1 << (page & 31));
        }
        // It stands there, but nobody wrote it.
        memory.page(rangePages).fill(1);
        const sum = [...new Set(pages.map(({ page }) => page))]
          .filter((page) => page >= first && page < first + count)
          .reduce((total, page) => total + hashOf(page), 0n);
        expect(live.sumHashes(first, count)).toBe(BigInt.asUintN(64, sum));
      }),
    );
  });
});
