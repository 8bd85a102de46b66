/** Work mix: work where each step waits for the one before - a linked list, divisions, atomics. */
import { defineFunction } from '../linux.ts';
import { emitXorshift, fillWorkArea, type WorkPart } from './work-area.ts';

const listNodes = 1024;
/** Odd, so that steps of this many nodes visit all of them. */
const listStride = 389;
const listTurns = 16;
const divisions = 3000;
const atomicTurns = 4000;

/** Nodes of { next, value } in scattered order: walked, reversed, walked again. */
export const list: WorkPart = {
  name: 'list',
  define(a) {
    defineFunction(a, 'work.list', { saves: [] }, () => {
      fillWorkArea(a, listNodes * 2);
      a.la('t0', 'work.area');
      a.li('t1', 0);
      a.li('t4', listNodes);
      a.mv('t5', 't0');
      a.label('list.link');
      a.addi('t1', 't1', listStride);
      a.andi('t1', 't1', listNodes - 1);
      a.slli('t2', 't1', 4);
      a.add('t2', 't2', 't0');
      a.sd('t2', 0, 't5');
      a.mv('t6', 't5');
      a.mv('t5', 't2');
      a.addi('t4', 't4', -1);
      a.bnez('t4', 'list.link');
      // The last node that was linked closed the ring: open it there.
      a.sd('zero', 0, 't6');
      a.li('a0', 0);
      a.li('t6', listTurns);
      a.label('list.turn');
      a.mv('t1', 't0');
      a.li('t3', 0);
      a.label('list.walk');
      a.ld('t2', 8, 't1');
      a.xor('a0', 'a0', 't2');
      a.add('a0', 'a0', 't2');
      a.ld('t2', 0, 't1');
      a.sd('t3', 0, 't1');
      a.mv('t3', 't1');
      a.mv('t1', 't2');
      a.bnez('t1', 'list.walk');
      a.mv('t0', 't3');
      a.addi('t6', 't6', -1);
      a.bnez('t6', 'list.turn');
    });
  },
};

/** All eight kinds of division, with the quotients deciding what is divided next. */
export const divide: WorkPart = {
  name: 'divide',
  define(a) {
    a.label('work.divide');
    a.ori('t0', 'a0', 1);
    a.li('a0', 0);
    a.li('t1', divisions);
    a.label('divide.next');
    emitXorshift(a, 't0', 't2');
    a.srli('t3', 't0', 40);
    a.div('t4', 't0', 't3');
    a.rem('t5', 't0', 't3');
    a.add('a0', 'a0', 't4');
    a.divu('t4', 'a0', 't3');
    a.remu('t6', 'a0', 't3');
    a.xor('a0', 'a0', 't4');
    a.divw('t4', 't0', 't6');
    a.remw('t2', 't0', 't5');
    a.add('a0', 'a0', 't4');
    a.divuw('t4', 'a0', 't2');
    a.remuw('t5', 'a0', 't3');
    a.xor('a0', 'a0', 't4');
    a.add('a0', 'a0', 't5');
    a.addi('t1', 't1', -1);
    a.bnez('t1', 'divide.next');
    a.ret();
  },
};

/** Atomic read-modify-writes of both widths and reserved stores that are tried until they succeed. */
export const atomics: WorkPart = {
  name: 'atomics',
  define(a) {
    a.label('work.atomics');
    a.la('t0', 'work.area');
    a.sd('a0', 0, 't0');
    a.sd('a0', 8, 't0');
    a.li('t1', atomicTurns);
    a.addi('t5', 't0', 8);
    a.label('atomics.next');
    a.amoaddD('t2', 't1', 't0', 'aqrl');
    a.amoxorW('t3', 't2', 't5');
    a.add('a0', 'a0', 't3');
    a.amomaxuD('t3', 'a0', 't5', 'aq');
    a.amoswapW('t4', 't3', 't0', 'rl');
    a.label('atomics.retry');
    a.lrD('t2', 't5', 'aq');
    a.add('t2', 't2', 't4');
    a.xor('t2', 't2', 'a0');
    a.scD('t3', 't2', 't5', 'rl');
    a.bnez('t3', 'atomics.retry');
    a.add('a0', 'a0', 't2');
    a.addi('t1', 't1', -1);
    a.bnez('t1', 'atomics.next');
    a.ret();
  },
};
