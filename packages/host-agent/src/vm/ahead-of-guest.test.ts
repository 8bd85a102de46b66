import { usedCodePageBytes } from '@skein/machine';
import { beforeEach, describe, expect, it } from 'vitest';
import { AheadOfGuest } from './ahead-of-guest.ts';

/** What was asked of the machine, in order. */
const asked: string[] = [];
let told = 0;
let ahead: AheadOfGuest;
const never = (): boolean => false;

beforeEach(() => {
  asked.length = 0;
  told = 0;
  const machine = {
    allocatePages: (first: number) => {
      asked.push(`allocate ${first}`);
      return 1;
    },
    usedCode: {
      decode: (_: Uint8Array, first = 0, count = 0) => {
        asked.push(`decode ${first}`);
        return { decoded: count, next: first + count };
      },
      dropRewritten: () => {},
    },
  };
  ahead = new AheadOfGuest(machine, () => {
    told += 1;
  });
});

function hearBoth(): void {
  ahead.hear({ type: 'decode-ahead', usedCode: new Uint8Array(20 * usedCodePageBytes) });
  ahead.hear({ type: 'allocate-ahead', firstPage: 64, pages: Uint32Array.of(1, 1) });
}

describe('what is done ahead of a guest', () => {
  it('is all that was heard, memory first', () => {
    hearBoth();
    expect(ahead.goOn(never)).toBe(true);
    expect(asked).toEqual(['allocate 64', 'allocate 96', 'decode 0', 'decode 16']);
    expect(told).toBe(1);
    expect(ahead.goOn(never)).toBe(false);
    expect(ahead.finish()).toEqual({ allocatedPages: 2, decodedPages: 32 });
  });

  it('stops at the next piece when its thread is wanted, and goes on afterwards', () => {
    hearBoth();
    expect(ahead.goOn(() => asked.length === 3)).toBe(true);
    expect(asked).toHaveLength(3);
    expect(ahead.goOn(() => true)).toBe(false);
    expect(asked).toHaveLength(3);
    expect(ahead.goOn(never)).toBe(true);
    expect(asked).toHaveLength(4);
  });

  it('is over when the guest goes on', () => {
    hearBoth();
    ahead.goOn(() => asked.length === 1);
    expect(ahead.finish()).toEqual({ allocatedPages: 1, decodedPages: 0 });
    expect(told).toBe(1);
    hearBoth();
    expect(ahead.goOn(never)).toBe(false);
    expect(asked).toEqual(['allocate 64']);
  });
});
