/**
 * `workmix ITERATIONS`: mixed integer work that prints a checksum for each part and for all, so that two machines can
 * be compared for equal results, and the instructions it took where the kernel lets user code count them. Parts:
 * CRC-32, sort, matrix product, linked list, SHA-256, memcpy, division, a byte-code machine, atomics.
 */
import type { Assembler } from '../../assembler/assembler.ts';
import { defineStart, defineUsageNear, requiredNumber } from '../arguments.ts';
import { defineFunction, reserveZeroed, signals, systemCall } from '../linux.ts';
import { defineTextOutput, endLine, printDecimal, printHex, printText } from '../text-output.ts';
import { copy, matrix, sort } from './arrays.ts';
import { byteCode } from './byte-code.ts';
import { atomics, divide, list } from './chains.ts';
import { crc, sha256 } from './digests.ts';
import { defineWorkArea, emitXorshift, type WorkPart } from './work-area.ts';

const parts: readonly WorkPart[] = [crc, sort, matrix, list, sha256, copy, divide, byteCode, atomics];

const firstSeed = 0x243f_6a88_85a3_08d3n;
const checksumMix = 0x9e37_79b9_7f4a_7c15n;
const withSignalInfo = 4;
/** Offset of the saved program counter in what a handler gets as its third argument: riscv's struct ucontext. */
const savedProgramCounter = 176;

// Registers of main, kept through all calls: s2 iterations left, s3 seed, s4 checksum, s5 sums of the parts,
// s6 instret at the start, s7 iterations in all.

/** Label of the parts' checksums, 8 bytes each, and how many they are: for whoever runs it without a kernel. */
export const workmixSums = { label: 'workmix.sums', count: parts.length } as const;

export function emitWorkmix(a: Assembler): void {
  reserveZeroed(a, workmixSums.label, parts.length * 8);
  reserveZeroed(a, 'workmix.uncounted', 8);
  defineStart(a, { usage: 'usage: workmix ITERATIONS', argumentsMin: 1, argumentsMax: 1 });
  defineUsageNear(a);
  defineFunction(a, 'main', { saves: [] }, () => {
    requiredNumber(a, 1, 's2', 1);
    a.mv('s7', 's2');
    a.call('workmix.catch-illegal');
    a.li('s3', firstSeed);
    a.la('s5', workmixSums.label);
    emitReadCount(a);
    a.mv('s6', 'a0');
    a.label('workmix.iteration');
    for (const [index, part] of parts.entries()) {
      emitXorshift(a, 's3', 't0');
      a.mv('a0', 's3');
      a.call(`work.${part.name}`);
      a.ld('t0', index * 8, 's5');
      emitMix(a, 't0', 'a0');
      a.sd('t0', index * 8, 's5');
    }
    a.addi('s2', 's2', -1);
    a.bnez('s2', 'workmix.iteration');
    emitReadCount(a);
    a.sub('s6', 'a0', 's6');
    emitResults(a);
    a.li('a0', 0);
  });
  defineCatchIllegal(a);
  for (const part of parts) part.define(a);
  defineWorkArea(a);
  defineTextOutput(a);
}

/** sum = (sum xor value) * an odd constant, rotated: order matters, and nothing is lost. Changes t1. */
function emitMix(a: Assembler, sum: 't0' | 's4', value: 'a0' | 't0'): void {
  a.xor(sum, sum, value);
  a.li('t1', checksumMix);
  a.mul(sum, sum, 't1');
  a.srli('t1', sum, 29);
  a.xor(sum, sum, 't1');
}

function emitResults(a: Assembler): void {
  a.li('s4', 0);
  for (const [index, part] of parts.entries()) {
    a.ld('t0', index * 8, 's5');
    emitMix(a, 's4', 't0');
    printText(a, `workmix: ${part.name} `);
    a.ld('a0', index * 8, 's5');
    a.call('output.hex');
    endLine(a);
  }
  printText(a, 'workmix: iterations ');
  printDecimal(a, 's7');
  printText(a, ' checksum ');
  printHex(a, 's4');
  a.la('t0', 'workmix.uncounted');
  a.ld('t0', 0, 't0');
  a.bnez('t0', 'workmix.no-count');
  printText(a, ' instret ');
  printDecimal(a, 's6');
  a.label('workmix.no-count');
  endLine(a);
}

function emitReadCount(a: Assembler): void {
  a.csrrs('a0', 'instret', 'zero');
}

/** Kernels that keep the counter to themselves raise SIGILL: note it, and step over the four bytes of the read. */
function defineCatchIllegal(a: Assembler): void {
  a.label('workmix.illegal');
  a.la('t0', 'workmix.uncounted');
  a.li('t1', 1);
  a.sd('t1', 0, 't0');
  a.ld('t0', savedProgramCounter, 'a2');
  a.addi('t0', 't0', 4);
  a.sd('t0', savedProgramCounter, 'a2');
  a.ret();
  defineFunction(a, 'workmix.catch-illegal', { saves: [], localBytes: 24 }, () => {
    a.la('t0', 'workmix.illegal');
    a.sd('t0', 0, 'sp');
    a.li('t0', withSignalInfo);
    a.sd('t0', 8, 'sp');
    a.sd('zero', 16, 'sp');
    a.li('a0', signals.illegal);
    a.mv('a1', 'sp');
    a.li('a2', 0);
    a.li('a3', 8);
    systemCall(a, 'sigaction');
  });
}
