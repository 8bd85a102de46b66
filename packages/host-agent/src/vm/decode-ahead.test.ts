import { usedCodePageBytes } from '@skein/machine';
import { beforeEach, describe, expect, it } from 'vitest';
import { DecodeAhead } from './decode-ahead.ts';

let told = 0;
/** What was asked of the machine, of which 40 pages are to be decoded. */
const asked: string[] = [];
let ahead: DecodeAhead;

beforeEach(() => {
  told = 0;
  asked.length = 0;
  const machineCode = {
    decode: (usedCode: Uint8Array, first = 0, count = 0) => {
      asked.push(`${usedCode.length / usedCodePageBytes} pages from ${first}`);
      return { decoded: count, next: first + count };
    },
    dropRewritten: () => {
      asked.push('drop');
    },
  };
  ahead = new DecodeAhead(machineCode, () => {
    told += 1;
  });
});

const usedCode = new Uint8Array(40 * usedCodePageBytes);

function toTheEnd(): void {
  while (ahead.goOn()) expect(asked.length).toBeLessThan(100);
}

describe('decoding ahead of a guest', () => {
  it('goes piece by piece, and tells once when all is done', () => {
    ahead.begin(usedCode);
    expect(told).toBe(0);
    toTheEnd();
    expect(asked).toEqual(['drop', '40 pages from 0', '40 pages from 16', '40 pages from 32']);
    expect(told).toBe(1);
    expect(ahead.decodedPages).toBe(48);
  });

  it('begins again with what it was told before', () => {
    ahead.begin(usedCode);
    toTheEnd();
    asked.length = 0;
    ahead.begin(null);
    toTheEnd();
    expect(asked[1]).toBe('40 pages from 0');
    expect(told).toBe(2);
  });

  it('ends in the middle where the guest goes on, without what was written meanwhile', () => {
    ahead.begin(usedCode);
    ahead.goOn();
    ahead.finish();
    expect(told).toBe(1);
    expect(ahead.decodedPages).toBe(16);
    expect(asked.at(-1)).toBe('drop');
    expect(ahead.goOn()).toBe(false);
  });

  it('drops nothing of a guest that runs, and answers whoever asks for it then', () => {
    ahead.finish();
    asked.length = 0;
    ahead.begin(usedCode);
    expect(ahead.goOn()).toBe(false);
    expect(asked).toEqual([]);
    expect(told).toBe(1);
    expect(ahead.decodedPages).toBe(0);
  });
});
