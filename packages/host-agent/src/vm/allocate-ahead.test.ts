import { countPages } from '@skein/machine';
import { beforeEach, describe, expect, it } from 'vitest';
import { AllocateAhead } from './allocate-ahead.ts';

/** First pages of the words that were asked for. */
const asked: number[] = [];
/** Of such words some pages are there already. */
const there = new Set<number>();
let ahead: AllocateAhead;

beforeEach(() => {
  asked.length = 0;
  there.clear();
  ahead = new AllocateAhead({
    allocatePages: (first, pages) => {
      if (pages !== 0) asked.push(first);
      return countPages(Uint32Array.of(pages)) - (there.has(first) ? 1 : 0);
    },
  });
});

function toTheEnd(): number {
  let pieces = 0;
  while (ahead.goOn()) pieces += 1;
  return pieces;
}

describe('allocating ahead of a guest', () => {
  it('goes through what is said to come word by word, one message after the other', () => {
    expect(ahead.goOn()).toBe(false);
    ahead.add(0, Uint32Array.of(1, 0, 7));
    ahead.add(2048, Uint32Array.of(0xffff_ffff));
    expect(toTheEnd()).toBe(4);
    expect(asked).toEqual([0, 64, 2048]);
    ahead.add(4096, Uint32Array.of(1));
    toTheEnd();
    expect(asked.at(-1)).toBe(4096);
    expect(ahead.allocatedPages).toBe(1 + 3 + 32 + 1);
  });

  it('leaves some pages to whoever brings them, where he has come as far as it has', () => {
    ahead.add(0, new Uint32Array(6).fill(1));
    there.add(32);
    toTheEnd();
    expect(asked).toEqual([0, 32, 128, 160]);
  });

  it('leaves none of the next message: that is ahead enough', () => {
    ahead.add(0, new Uint32Array(2).fill(1));
    ahead.add(64, new Uint32Array(2).fill(1));
    there.add(32);
    toTheEnd();
    expect(asked).toEqual([0, 32, 64, 96]);
  });

  it('ends where the guest goes on, and is not begun again', () => {
    ahead.add(0, new Uint32Array(9).fill(1));
    ahead.goOn();
    ahead.finish();
    ahead.add(2048, Uint32Array.of(1));
    expect(ahead.goOn()).toBe(false);
    expect(asked).toEqual([0]);
  });
});
