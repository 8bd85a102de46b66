/**
 * What a page of the dirtier holds, as a function of its number and its generation (how often it was written; 0 is
 * all zero). In mode counter one 64-bit word holds the generation, at a place that depends on the page; in mode page
 * word k is `mix(page, generation) + k * step`, so no two pages or generations agree in a word but by chance.
 */
import type { Assembler } from '../assembler/assembler.ts';
import { wordsPerPage } from './memory-area.ts';

// Odd 64-bit constants with well-spread bits (from splitmix64).
const pageMix = 0x9e37_79b9_7f4a_7c15n;
const generationMix = 0xbf58_476d_1ce4_e5b9n;
const wordStep = 0x94d0_49bb_1331_11ebn;

/**
 * Emits `page.write`, `page.verify` and `page.verify-all`, each of (a0 address, a1 page, a2 generation) with the mode
 * in s5. The latter two return 1 in a0 if the page is right; in mode counter, page.verify looks at the counter alone.
 */
export function definePageContent(a: Assembler): void {
  defineWrite(a);
  a.label('page.verify');
  a.bnez('s5', 'page.verify-pattern');
  emitCounterAddress(a);
  a.ld('t1', 0, 't0');
  emitEqualReturn(a, 't1', 'a2');
  defineVerifyAll(a);
  defineVerifyPattern(a);
}

function defineWrite(a: Assembler): void {
  a.label('page.write');
  a.bnez('s5', 'page.write-pattern');
  emitCounterAddress(a);
  a.sd('a2', 0, 't0');
  a.ret();
  a.label('page.write-pattern');
  emitPattern(a);
  a.label('page.write-word');
  a.sd('t0', 0, 'a0');
  a.add('t0', 't0', 't1');
  a.addi('a0', 'a0', 8);
  a.addi('t2', 't2', -1);
  a.bnez('t2', 'page.write-word');
  a.ret();
}

/** Mode counter: the counter's word, and zero in all others. */
function defineVerifyAll(a: Assembler): void {
  a.label('page.verify-all');
  a.bnez('s5', 'page.verify-pattern');
  emitCounterAddress(a);
  a.ld('t1', 0, 't0');
  a.bne('t1', 'a2', 'page.wrong');
  a.li('t2', wordsPerPage);
  a.label('page.verify-zero');
  a.beq('a0', 't0', 'page.skip-counter');
  a.ld('t1', 0, 'a0');
  a.bnez('t1', 'page.wrong');
  a.label('page.skip-counter');
  a.addi('a0', 'a0', 8);
  a.addi('t2', 't2', -1);
  a.bnez('t2', 'page.verify-zero');
  a.li('a0', 1);
  a.ret();
  a.label('page.wrong');
  a.li('a0', 0);
  a.ret();
}

function defineVerifyPattern(a: Assembler): void {
  a.label('page.verify-pattern');
  emitPattern(a);
  a.label('page.verify-word');
  a.ld('t3', 0, 'a0');
  a.bne('t3', 't0', 'page.wrong');
  a.add('t0', 't0', 't1');
  a.addi('a0', 'a0', 8);
  a.addi('t2', 't2', -1);
  a.bnez('t2', 'page.verify-word');
  a.li('a0', 1);
  a.ret();
}

/** t0 becomes the address of the page's counter. */
function emitCounterAddress(a: Assembler): void {
  a.andi('t0', 'a1', wordsPerPage - 1);
  a.slli('t0', 't0', 3);
  a.add('t0', 't0', 'a0');
}

/** t0 becomes the first word, t1 the step from word to word, t2 the number of words. */
function emitPattern(a: Assembler): void {
  const made = a.fresh('page.pattern-made');
  a.li('t2', wordsPerPage);
  a.li('t0', 0);
  a.li('t1', 0);
  a.beqz('a2', made);
  a.li('t0', pageMix);
  a.mul('t0', 't0', 'a1');
  a.li('t1', generationMix);
  a.mul('t1', 't1', 'a2');
  a.add('t0', 't0', 't1');
  a.srli('t1', 't0', 31);
  a.xor('t0', 't0', 't1');
  a.li('t1', wordStep);
  a.label(made);
}

function emitEqualReturn(a: Assembler, left: 't1', right: 'a2'): void {
  a.xor('a0', left, right);
  a.sltiu('a0', 'a0', 1);
  a.ret();
}
