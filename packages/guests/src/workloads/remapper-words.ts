/**
 * What the remapper writes into its pages: a word each, at a place and of a value that follow from page, round and writer,
 * so that a page that is taken for another one, or for what it was before, shows.
 */
import type { Assembler } from '../assembler/assembler.ts';
import { pageShift, wordsPerPage } from './memory-area.ts';

// Odd 64-bit constants with well-spread bits (from splitmix64).
const roundMix = 0x9e37_79b9_7f4a_7c15n;
const pageMix = 0xbf58_476d_1ce4_e5b9n;
const writerMix = 0x94d0_49bb_1331_11ebn;

/**
 * Emits `words.write(a0 writer)`, `words.verify(a0 writer)` and `words.find-nonzero()` over s3 pages at s2 in round s4. The
 * latter two return in a0 the first page that is not as it should be, or -1.
 */
export function definePageWords(a: Assembler): void {
  defineOverPages(a, 'words.write', () => a.sd('t1', 0, 't0'));
  defineOverPages(a, 'words.verify', () => {
    a.ld('t2', 0, 't0');
    a.bne('t2', 't1', 'words.wrong');
  });
  defineOverPages(a, 'words.find-nonzero', () => {
    a.ld('t2', 0, 't0');
    a.bnez('t2', 'words.wrong');
  });
  a.label('words.wrong');
  a.mv('a0', 'a1');
  a.ret();
}

/** t0 is the word's address, t1 its value, a1 the page. */
function defineOverPages(a: Assembler, name: string, visit: () => void): void {
  a.label(name);
  a.li('t3', roundMix);
  a.mul('t3', 't3', 's4');
  a.li('t4', writerMix);
  a.mul('t4', 't4', 'a0');
  a.add('t3', 't3', 't4');
  a.li('t4', pageMix);
  a.li('a1', 0);
  a.label(`${name}.next`);
  a.andi('t0', 'a1', wordsPerPage - 1);
  a.slli('t0', 't0', 3);
  a.slli('t1', 'a1', pageShift);
  a.add('t0', 't0', 't1');
  a.add('t0', 't0', 's2');
  a.mul('t1', 't4', 'a1');
  a.add('t1', 't1', 't3');
  a.srli('t2', 't1', 31);
  a.xor('t1', 't1', 't2');
  visit();
  a.addi('a1', 'a1', 1);
  a.bne('a1', 's3', `${name}.next`);
  a.li('a0', -1);
  a.ret();
}
