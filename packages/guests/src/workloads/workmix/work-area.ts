/** The memory that the parts of the work mix share, and pseudo-random data to fill it with. */
import type { Assembler } from '../../assembler/assembler.ts';
import type { XRegister } from '../../assembler/registers.ts';
import { reserveZeroed } from '../linux.ts';

export const workAreaBytes = 64 * 1024;

/** A function of the mix: a0 is a seed, a0 becomes a result that depends on all its work. */
export interface WorkPart {
  readonly name: string;
  define(a: Assembler): void;
}

/** Emits `work.fill(a0 seed, a1 words) -> a0 state`: xorshift64 over the start of the area. */
export function defineWorkArea(a: Assembler): void {
  reserveZeroed(a, 'work.area', workAreaBytes);
  a.label('work.fill');
  a.la('t1', 'work.area');
  // The state must not be zero.
  a.addi('t0', 'zero', 1);
  a.slli('t0', 't0', 63);
  a.or('a0', 'a0', 't0');
  a.label('work.fill.next');
  emitXorshift(a, 'a0', 't0');
  a.sd('a0', 0, 't1');
  a.addi('t1', 't1', 8);
  a.addi('a1', 'a1', -1);
  a.bnez('a1', 'work.fill.next');
  a.ret();
}

export function emitXorshift(a: Assembler, state: XRegister, scratch: XRegister): void {
  a.slli(scratch, state, 13);
  a.xor(state, state, scratch);
  a.srli(scratch, state, 7);
  a.xor(state, state, scratch);
  a.slli(scratch, state, 17);
  a.xor(state, state, scratch);
}

/** Fills `words` words of the area from the seed in a0, within a function that has saved ra. */
export function fillWorkArea(a: Assembler, words: number): void {
  a.li('a1', words);
  a.call('work.fill');
}
