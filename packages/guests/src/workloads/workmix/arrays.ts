/** Work mix: arrays that are sorted, multiplied and copied - loads, stores and branches that do not predict well. */
import { defineFunction } from '../linux.ts';
import { fillWorkArea, type WorkPart } from './work-area.ts';

const sortWords = 1024;
/** Ciura's gaps, extended: each round sorts what lies that far apart. */
const sortGaps = [701, 301, 132, 57, 23, 10, 4, 1];
const matrixSize = 24;
const copyBytes = 16 * 1024;
const copyTurns = 4;

/** Shell sort of signed words; the result weighs each with its place. */
export const sort: WorkPart = {
  name: 'sort',
  define(a) {
    a.section('data');
    a.align(16);
    a.label('sort.gaps');
    for (const gap of [...sortGaps, 0]) a.dword(BigInt(gap * 8));
    a.section('text');
    defineFunction(a, 'work.sort', { saves: [] }, () => {
      fillWorkArea(a, sortWords);
      a.la('t0', 'work.area');
      a.li('t1', sortWords * 8);
      a.add('t1', 't1', 't0');
      a.la('t2', 'sort.gaps');
      a.label('sort.round');
      a.ld('t3', 0, 't2');
      a.addi('t2', 't2', 8);
      a.beqz('t3', 'sort.sorted');
      a.add('t4', 't0', 't3');
      a.add('a3', 't0', 't3');
      a.label('sort.next');
      a.ld('t5', 0, 't4');
      a.mv('t6', 't4');
      a.label('sort.sink');
      a.bltu('t6', 'a3', 'sort.place');
      a.sub('a1', 't6', 't3');
      a.ld('a2', 0, 'a1');
      a.bge('t5', 'a2', 'sort.place');
      a.sd('a2', 0, 't6');
      a.mv('t6', 'a1');
      a.j('sort.sink');
      a.label('sort.place');
      a.sd('t5', 0, 't6');
      a.addi('t4', 't4', 8);
      a.bne('t4', 't1', 'sort.next');
      a.j('sort.round');
      a.label('sort.sorted');
      a.li('a0', 0);
      a.li('t3', 1);
      a.label('sort.weigh');
      a.ld('t2', 0, 't0');
      a.mul('t2', 't2', 't3');
      a.add('a0', 'a0', 't2');
      a.addi('t3', 't3', 2);
      a.addi('t0', 't0', 8);
      a.bne('t0', 't1', 'sort.weigh');
    });
  },
};

/** Product of two square matrices of 64-bit words, row by column. */
export const matrix: WorkPart = {
  name: 'matrix',
  define(a) {
    const matrixBytes = matrixSize * matrixSize * 8;
    defineFunction(a, 'work.matrix', { saves: [] }, () => {
      fillWorkArea(a, (2 * matrixBytes) / 8);
      a.la('t0', 'work.area');
      a.li('a4', matrixBytes);
      a.add('a4', 'a4', 't0');
      a.li('a0', 0);
      a.mv('a6', 'a4');
      a.label('matrix.row');
      a.li('t1', 0);
      a.label('matrix.column');
      a.mv('t2', 't0');
      a.slli('t3', 't1', 3);
      a.add('t3', 't3', 'a4');
      a.addi('t4', 't2', matrixSize * 8);
      a.li('a1', 0);
      a.label('matrix.term');
      a.ld('t5', 0, 't2');
      a.ld('t6', 0, 't3');
      a.mul('t5', 't5', 't6');
      a.add('a1', 'a1', 't5');
      a.addi('t2', 't2', 8);
      a.addi('t3', 't3', matrixSize * 8);
      a.bne('t2', 't4', 'matrix.term');
      a.slli('t5', 'a0', 1);
      a.srli('a0', 'a0', 63);
      a.or('a0', 'a0', 't5');
      a.xor('a0', 'a0', 'a1');
      a.addi('t1', 't1', 1);
      a.li('t5', matrixSize);
      a.bne('t1', 't5', 'matrix.column');
      a.addi('t0', 't0', matrixSize * 8);
      a.bne('t0', 'a6', 'matrix.row');
    });
  },
};

/** Copies by words, then on by bytes at an odd distance; the result sums up some of the copy. */
export const copy: WorkPart = {
  name: 'memcpy',
  define(a) {
    defineFunction(a, 'work.memcpy', { saves: [] }, () => {
      fillWorkArea(a, copyBytes / 8);
      a.li('t6', copyTurns);
      a.label('memcpy.turn');
      a.la('t0', 'work.area');
      a.li('t2', copyBytes);
      a.add('t1', 't0', 't2');
      a.mv('t2', 't1');
      a.label('memcpy.words');
      for (let word = 0; word < 4; word++)
        a.ld((['t3', 't4', 't5', 'a1'] as const)[word] ?? 't3', word * 8, 't0');
      for (let word = 0; word < 4; word++)
        a.sd((['t3', 't4', 't5', 'a1'] as const)[word] ?? 't3', word * 8, 't1');
      a.addi('t0', 't0', 32);
      a.addi('t1', 't1', 32);
      a.bne('t0', 't2', 'memcpy.words');
      a.la('t0', 'work.area');
      a.addi('t2', 't1', 3);
      a.addi('a2', 't0', 2000);
      a.label('memcpy.bytes');
      a.lbu('t3', 1, 't0');
      a.sb('t3', 0, 't2');
      a.addi('t0', 't0', 1);
      a.addi('t2', 't2', 1);
      a.bne('t0', 'a2', 'memcpy.bytes');
      a.addi('t6', 't6', -1);
      a.bnez('t6', 'memcpy.turn');
      a.li('a0', 0);
      a.li('t3', 400);
      a.label('memcpy.sum');
      a.ld('t4', 0, 't1');
      a.add('a0', 'a0', 't4');
      a.addi('t1', 't1', 5);
      a.addi('t3', 't3', -1);
      a.bnez('t3', 'memcpy.sum');
    });
  },
};
