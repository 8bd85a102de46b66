import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SentCopies } from './sent-copies.ts';

describe('copies of sent pages', () => {
  it('have a place of their own each, never more than there are, and the oldest goes first', () => {
    const moves = fc.array(fc.record({ page: fc.integer({ min: 0, max: 19 }), isDropped: fc.boolean() }), {
      maxLength: 200,
    });
    fc.assert(
      fc.property(moves, (list) => {
        const copies = new SentCopies(20, 5);
        for (const { page, isDropped } of list) {
          if (isDropped) copies.drop(page);
          else expect(copies.take(page)).toBe(copies.slotOf(page));
          const slots = Array.from({ length: 20 }, (_, index) => copies.slotOf(index)).filter(
            (slot) => slot !== null,
          );
          expect(new Set(slots).size).toBe(slots.length);
          expect(slots.length).toBeLessThanOrEqual(5);
        }
      }),
    );
    const copies = new SentCopies(20, 2);
    for (const page of [1, 2, 3]) copies.take(page);
    expect([1, 2, 3].map((page) => copies.slotOf(page) !== null)).toEqual([false, true, true]);
  });
});
