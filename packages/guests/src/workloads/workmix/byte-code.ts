/**
 * Work mix: a byte-code machine with a jump table, whose program counts the steps of Collatz sequences. Indirect jumps
 * that depend on data are what an interpreter or translator of this code finds hardest.
 */

import { defineFunction } from '../linux.ts';
import type { WorkPart } from './work-area.ts';

/** Operations: a byte, followed by a signed byte of distance where one jumps. Accumulator t0, counter t1, result a0. */
const operations = [
  'halt',
  'jumpIfEven',
  'halve',
  'tripleAndOne',
  'jump',
  'jumpIfNotOne',
  'nextStart',
  'count',
] as const;
type Operation = (typeof operations)[number];

const starts = 120;

/** The program: labels are distances from the byte behind the operand. */
const program: readonly (Operation | number)[] = [
  // 0: count, 1: even? -> 6, 3: 3n+1, 4: -> 7
  'count',
  'jumpIfEven',
  3,
  'tripleAndOne',
  'jump',
  1,
  'halve',
  'jumpIfNotOne',
  -9,
  'nextStart',
  -11,
  'halt',
];

export const byteCode: WorkPart = {
  name: 'bytecode',
  define(a) {
    a.section('data');
    a.align(16);
    a.label('bytecode.table');
    for (const operation of operations) a.dword(`bytecode.${operation}`);
    a.label('bytecode.program');
    a.bytes(
      Uint8Array.from(program, (item) => (typeof item === 'number' ? item & 0xff : operations.indexOf(item))),
    );
    a.section('text');
    defineFunction(a, 'work.bytecode', { saves: [] }, () => {
      a.la('t2', 'bytecode.program');
      a.la('t3', 'bytecode.table');
      a.andi('t4', 'a0', 1023);
      a.addi('t4', 't4', 3);
      a.mv('t0', 't4');
      a.li('t1', starts);
      a.li('a0', 0);
      a.label('bytecode.next');
      a.lbu('t5', 0, 't2');
      a.addi('t2', 't2', 1);
      a.slli('t5', 't5', 3);
      a.add('t5', 't5', 't3');
      a.ld('t5', 0, 't5');
      a.jalr('zero', 0, 't5');
      a.label('bytecode.jumpIfEven');
      a.andi('t6', 't0', 1);
      a.beqz('t6', 'bytecode.jump');
      a.label('bytecode.skip');
      a.addi('t2', 't2', 1);
      a.j('bytecode.next');
      a.label('bytecode.jumpIfNotOne');
      a.addi('t6', 't0', -1);
      a.beqz('t6', 'bytecode.skip');
      a.label('bytecode.jump');
      a.lb('t6', 0, 't2');
      a.addi('t2', 't2', 1);
      a.add('t2', 't2', 't6');
      a.j('bytecode.next');
      a.label('bytecode.halve');
      a.srli('t0', 't0', 1);
      a.j('bytecode.next');
      a.label('bytecode.tripleAndOne');
      a.slli('t6', 't0', 1);
      a.add('t0', 't0', 't6');
      a.addi('t0', 't0', 1);
      a.j('bytecode.next');
      a.label('bytecode.count');
      a.slli('t6', 't0', 3);
      a.xor('a0', 'a0', 't6');
      a.addi('a0', 'a0', 1);
      a.j('bytecode.next');
      a.label('bytecode.nextStart');
      a.addi('t4', 't4', 1);
      a.mv('t0', 't4');
      a.addi('t1', 't1', -1);
      a.bnez('t1', 'bytecode.jump');
      a.j('bytecode.skip');
      a.label('bytecode.halt');
    });
  },
};
