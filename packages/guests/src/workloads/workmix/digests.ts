/**
 * Work mix: two digests, table lookups against rotations and additions.
 * Source: ISO 3309 (the reflected CRC-32 polynomial); FIPS 180-4, "SHA-256 Computation".
 */
import type { Assembler } from '../../assembler/assembler.ts';
import type { XRegister } from '../../assembler/registers.ts';
import { defineFunction } from '../linux.ts';
import { fillWorkArea, type WorkPart } from './work-area.ts';

const crcPolynomial = 0xedb88320;
const crcBytes = 8192;
const shaBlocks = 24;
const blockBytes = 64;
const scheduleBytes = 256;

/** Table at the end of the area, data at its start. */
export const crc: WorkPart = {
  name: 'crc',
  define(a) {
    defineFunction(a, 'work.crc', { saves: [] }, () => {
      fillWorkArea(a, crcBytes / 8);
      a.la('t0', 'work.area');
      a.li('t1', crcBytes);
      a.add('t1', 't0', 't1');
      emitCrcTable(a);
      a.li('a0', 0xffffffff);
      a.mv('t2', 't1');
      a.label('work.crc.byte');
      a.lbu('t3', 0, 't0');
      a.xor('t3', 't3', 'a0');
      a.andi('t3', 't3', 255);
      a.slli('t3', 't3', 2);
      a.add('t3', 't3', 't1');
      a.lwu('t3', 0, 't3');
      a.srli('a0', 'a0', 8);
      a.xor('a0', 'a0', 't3');
      a.addi('t0', 't0', 1);
      a.bne('t0', 't2', 'work.crc.byte');
    });
  },
};

/** 256 words at t1. */
function emitCrcTable(a: Assembler): void {
  a.li('t2', 0);
  a.li('t5', crcPolynomial);
  a.mv('t6', 't1');
  a.label('work.crc.entry');
  a.mv('t3', 't2');
  a.li('t4', 8);
  a.label('work.crc.bit');
  a.andi('a2', 't3', 1);
  a.srli('t3', 't3', 1);
  a.beqz('a2', 'work.crc.even');
  a.xor('t3', 't3', 't5');
  a.label('work.crc.even');
  a.addi('t4', 't4', -1);
  a.bnez('t4', 'work.crc.bit');
  a.sw('t3', 0, 't6');
  a.addi('t6', 't6', 4);
  a.addi('t2', 't2', 1);
  a.li('a2', 256);
  a.bne('t2', 'a2', 'work.crc.entry');
}

/** The first 32 bits of the fractional parts of a root of the first primes. */
function primeRoots(count: number, root: 2 | 3): readonly number[] {
  const roots: number[] = [];
  for (let candidate = 2n; roots.length < count; candidate++) {
    let isPrime = true;
    for (let divisor = 2n; divisor * divisor <= candidate; divisor++) isPrime &&= candidate % divisor !== 0n;
    if (isPrime) roots.push(Number(BigInt.asUintN(32, integerRoot(candidate << BigInt(32 * root), root))));
  }
  return roots;
}

/** Largest integer whose power does not exceed the value. */
function integerRoot(value: bigint, power: 2 | 3): bigint {
  let low = 0n;
  let high = 1n << 40n;
  while (high - low > 1n) {
    const middle = (low + high) / 2n;
    if (middle ** BigInt(power) <= value) low = middle;
    else high = middle;
  }
  return low;
}

const state = ['s2', 's3', 's4', 's5', 's6', 's7', 's8', 's9'] as const;

/** Over pseudo-random blocks, without padding: the compression function is the work. */
export const sha256: WorkPart = {
  name: 'sha256',
  define(a) {
    a.section('data');
    a.align(16);
    a.label('sha256.constants');
    for (const constant of primeRoots(64, 3)) a.word(constant);
    a.label('sha256.state');
    for (const initial of primeRoots(8, 2)) a.word(initial);
    a.section('text');
    defineFunction(
      a,
      'work.sha256',
      { saves: ['s0', 's1', ...state], localBytes: scheduleBytes + 32 },
      () => {
        fillWorkArea(a, (shaBlocks * blockBytes) / 8);
        a.la('t0', 'sha256.state');
        for (let index = 0; index < 8; index++) {
          a.lw('t1', index * 4, 't0');
          a.sw('t1', scheduleBytes + index * 4, 'sp');
        }
        a.la('s0', 'work.area');
        a.li('s1', shaBlocks);
        a.label('sha256.block');
        emitSchedule(a);
        emitRounds(a);
        a.addi('s0', 's0', blockBytes);
        a.addi('s1', 's1', -1);
        a.bnez('s1', 'sha256.block');
        a.ld('a0', scheduleBytes, 'sp');
        for (let index = 1; index < 4; index++) {
          a.ld('t0', scheduleBytes + index * 8, 'sp');
          a.xor('a0', 'a0', 't0');
        }
      },
    );
  },
};

/** The 64 words of the message schedule at the stack pointer, from the big-endian block at s0. */
function emitSchedule(a: Assembler): void {
  a.mv('t0', 's0');
  a.mv('t1', 'sp');
  a.addi('t2', 'sp', blockBytes);
  a.label('sha256.word');
  a.lbu('t3', 0, 't0');
  for (let byte = 1; byte < 4; byte++) {
    a.slli('t3', 't3', 8);
    a.lbu('t4', byte, 't0');
    a.or('t3', 't3', 't4');
  }
  a.sw('t3', 0, 't1');
  a.addi('t0', 't0', 4);
  a.addi('t1', 't1', 4);
  a.bne('t1', 't2', 'sha256.word');
  a.addi('t2', 'sp', scheduleBytes);
  a.label('sha256.extend');
  a.lw('t3', -60, 't1');
  emitSigma(a, 't4', 't3', [7, 18], 3);
  a.lw('t3', -8, 't1');
  emitSigma(a, 't5', 't3', [17, 19], 10);
  a.addw('t4', 't4', 't5');
  for (const back of [-64, -28]) {
    a.lw('t3', back, 't1');
    a.addw('t4', 't4', 't3');
  }
  a.sw('t4', 0, 't1');
  a.addi('t1', 't1', 4);
  a.bne('t1', 't2', 'sha256.extend');
}

/** rd = the xor of two rotations of rs and a third one, or a shift. Changes a6 and a7. */
function emitSigma(
  a: Assembler,
  rd: XRegister,
  rs: XRegister,
  rotations: readonly number[],
  shift?: number,
): void {
  rotations.forEach((count, index) => {
    a.srliw('a6', rs, count);
    a.slliw('a7', rs, 32 - count);
    a.or('a6', 'a6', 'a7');
    if (index === 0) a.mv(rd, 'a6');
    else a.xor(rd, rd, 'a6');
  });
  if (shift === undefined) return;
  a.srliw('a6', rs, shift);
  a.xor(rd, rd, 'a6');
}

function emitRounds(a: Assembler): void {
  const [A, B, C, D, E, F, G, H] = state;
  state.forEach((register, index) => {
    a.lw(register, scheduleBytes + index * 4, 'sp');
  });
  a.mv('t0', 'sp');
  a.la('t1', 'sha256.constants');
  a.addi('t2', 'sp', scheduleBytes);
  a.label('sha256.round');
  emitSigma(a, 't3', E, [6, 11, 25]);
  a.xor('t4', F, G);
  a.and('t4', 't4', E);
  a.xor('t4', 't4', G);
  a.addw('t3', 't3', 't4');
  a.addw('t3', 't3', H);
  a.lw('t4', 0, 't0');
  a.addw('t3', 't3', 't4');
  a.lw('t4', 0, 't1');
  a.addw('t3', 't3', 't4');
  emitSigma(a, 't4', A, [2, 13, 22]);
  a.xor('t5', A, B);
  a.and('t5', 't5', C);
  a.and('t6', A, B);
  a.or('t5', 't5', 't6');
  a.addw('t4', 't4', 't5');
  a.mv(H, G);
  a.mv(G, F);
  a.mv(F, E);
  a.addw(E, D, 't3');
  a.mv(D, C);
  a.mv(C, B);
  a.mv(B, A);
  a.addw(A, 't3', 't4');
  a.addi('t0', 't0', 4);
  a.addi('t1', 't1', 4);
  a.bne('t0', 't2', 'sha256.round');
  state.forEach((register, index) => {
    a.lw('t0', scheduleBytes + index * 4, 'sp');
    a.addw('t0', 't0', register);
    a.sw('t0', scheduleBytes + index * 4, 'sp');
  });
}
