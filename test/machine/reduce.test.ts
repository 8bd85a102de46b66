import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { reduce } from './reduce.ts';

const everyPart = [...Array(40).keys()];

describe('a reduction', () => {
  test('leaves the parts that the property needs, and no other', async () => {
    await fc.assert(
      fc.asyncProperty(fc.subarray(everyPart), async (needed) => {
        const kept = await reduce(everyPart, async (selections) => {
          const index = selections.findIndex((those) => needed.every((part) => those.includes(part)));
          return index < 0 ? undefined : index;
        });
        expect(kept).toEqual(needed);
      }),
    );
  });

  test('asks for few selections where most parts are not needed', async () => {
    let asked = 0;
    await reduce([...Array(1000).keys()], async (selections) => {
      asked += 1;
      const index = selections.findIndex((those) => those.includes(617));
      return index < 0 ? undefined : index;
    });
    expect(asked).toBeLessThan(30);
  });

  test('keeps everything where nothing may be left out', async () => {
    expect(await reduce([1, 2, 3], async () => undefined)).toEqual([1, 2, 3]);
    expect(await reduce([], async () => undefined)).toEqual([]);
  });
});
