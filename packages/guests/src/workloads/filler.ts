/**
 * `filler MIB [SEED]`: fills memory with data that no compression shrinks (xorshift64 from the seed) and holds it. A
 * line on standard input, SIGINT or SIGTERM verifies it and ends; SIGUSR1 verifies it and holds on.
 * Source: Marsaglia, "Xorshift RNGs" (the triple 13, 7, 17).
 */
import type { Assembler } from '../assembler/assembler.ts';
import { defineStart, defineUsageNear, optionalNumber, requiredNumber } from './arguments.ts';
import { defineClock } from './clock.ts';
import { defineFunction, signals } from './linux.ts';
import {
  mapMemory,
  mibShift,
  pageShift,
  reportMismatch,
  reportVerified,
  wordsPerPage,
} from './memory-area.ts';
import { defineStopRequest } from './stop-request.ts';
import { defineTextOutput, endLine, printDecimal, printText } from './text-output.ts';

/** Mixes small seeds apart; odd, so that no seed gives the state 0, which xorshift never leaves. */
const seedMix = 0x9e37_79b9_7f4a_7c15n;

export function emitFiller(a: Assembler): void {
  defineStart(a, { usage: 'usage: filler MIB [SEED]', argumentsMin: 1, argumentsMax: 2 });
  defineUsageNear(a);
  defineFunction(a, 'main', { saves: [] }, () => {
    requiredNumber(a, 1, 's2', 1);
    optionalNumber(a, 2, 's4', { min: 1, absent: 1 });
    a.li('t0', seedMix);
    a.mul('s4', 's4', 't0');
    mapMemory(a, 'filler');
    a.call('stop.install');
    emitFill(a);
    printText(a, 'filler: filled ');
    a.srli('s5', 's3', mibShift - pageShift);
    printDecimal(a, 's5');
    printText(a, ' MiB');
    endLine(a);
    a.label('filler.hold');
    a.call('stop.wait');
    a.beqz('a0', 'filler.hold');
    a.mv('s5', 'a0');
    a.la('t0', 'stop.flag');
    a.sd('zero', 0, 't0');
    emitVerify(a);
    a.li('t0', signals.user1);
    a.beq('s5', 't0', 'filler.hold');
    a.li('a0', 0);
    a.j('main.return');
    a.label('filler.mismatch');
    reportMismatch(a, 'filler', 's6');
  });
  defineStopRequest(a);
  defineClock(a);
  defineTextOutput(a);
}

function emitFill(a: Assembler): void {
  a.mv('t0', 's4');
  a.mv('t1', 's2');
  a.slli('t2', 's3', pageShift);
  a.add('t2', 't2', 't1');
  a.label('filler.fill');
  emitXorshift(a);
  a.sd('t0', 0, 't1');
  a.addi('t1', 't1', 8);
  a.bne('t1', 't2', 'filler.fill');
}

function emitVerify(a: Assembler): void {
  a.mv('t0', 's4');
  a.mv('t1', 's2');
  a.li('s6', 0);
  a.label('filler.verify-page');
  a.li('t4', wordsPerPage);
  a.label('filler.verify-word');
  emitXorshift(a);
  a.ld('t2', 0, 't1');
  a.bne('t0', 't2', 'filler.mismatch');
  a.addi('t1', 't1', 8);
  a.addi('t4', 't4', -1);
  a.bnez('t4', 'filler.verify-word');
  a.addi('s6', 's6', 1);
  a.bne('s6', 's3', 'filler.verify-page');
  reportVerified(a, 'filler');
}

/** Next value of the sequence in t0. Changes t3. */
function emitXorshift(a: Assembler): void {
  a.slli('t3', 't0', 13);
  a.xor('t0', 't0', 't3');
  a.srli('t3', 't0', 7);
  a.xor('t0', 't0', 't3');
  a.slli('t3', 't0', 17);
  a.xor('t0', 't0', 't3');
}
