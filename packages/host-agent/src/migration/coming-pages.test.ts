import { pagesOf } from '@skein/machine';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ComingPages, pagesAtOnce } from './coming-pages.ts';

/** Of a guest whose written pages are these: what was told before each page that is sent, in order. */
function send(guestPages: number, written: readonly number[]): { told: number[]; toldAhead: boolean } {
  const bits = new Uint32Array(guestPages / 32);
  for (const page of written) bits[page >>> 5] = (bits[page >>> 5] ?? 0) | (1 << (page & 31));
  const encoder = { nonzero: (first: number, pages: number) => bits.slice(first / 32, (first + pages) / 32) };
  const told: number[] = [];
  const coming = new ComingPages(encoder, guestPages, (first, pages) => {
    told.push(...[...pagesOf(pages)].map((page) => first + page));
  });
  const isTold = written.map((page, index) => {
    coming.reach(page);
    const near = written.filter((other) => other >= page && other < page + pagesAtOnce);
    return told.includes(page) && told.length >= index + near.length;
  });
  return { told, toldAhead: isTold.every(Boolean) };
}

describe('pages that are said to come', () => {
  it('are all that are sent, once and in order, and each some MiB ahead', () => {
    const page = fc.integer({ min: 0, max: 16_383 });
    fc.assert(
      fc.property(fc.uniqueArray(page, { maxLength: 60 }), (pages) => {
        const written = pages.sort((a, b) => a - b);
        const { told, toldAhead } = send(16_384, written);
        expect(told.slice(0, written.length)).toEqual(written);
        expect(told).toHaveLength(written.length);
        expect(toldAhead).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  it('are not said long before: what is far away may be written until then', () => {
    const told: number[] = [];
    const encoder = { nonzero: (_: number, pages: number) => new Uint32Array(pages / 32).fill(1) };
    const coming = new ComingPages(encoder, 10 * pagesAtOnce, (first) => told.push(first / pagesAtOnce));
    coming.reach(0);
    expect(told).toEqual([0, 1]);
    coming.reach(pagesAtOnce - 1);
    expect(told).toEqual([0, 1]);
    coming.reach(pagesAtOnce);
    expect(told).toEqual([0, 1, 2]);
  });

  it('are told from where the round is, if nobody asked for a while', () => {
    const told: number[] = [];
    const encoder = { nonzero: (_: number, pages: number) => new Uint32Array(pages / 32).fill(1) };
    const coming = new ComingPages(encoder, 10 * pagesAtOnce, (first) => told.push(first / pagesAtOnce));
    coming.reach(0);
    coming.reach(5 * pagesAtOnce + 7);
    expect(told).toEqual([0, 1, 5, 6]);
  });

  it('end with the guest, whose last ones may be fewer than are told at a time', () => {
    const asked: number[] = [];
    const encoder = {
      nonzero: (first: number, pages: number) => {
        asked.push(first, pages);
        return new Uint32Array(pages / 32);
      },
    };
    new ComingPages(encoder, pagesAtOnce + 64, () => expect.unreachable('none is written')).reach(0);
    expect(asked).toEqual([0, pagesAtOnce, pagesAtOnce, 64]);
  });
});
