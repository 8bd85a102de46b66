/**
 * `codewriter FUNCTIONS`: writes its own code. Each of FUNCTIONS small functions returns a number; round and round each is
 * called, must return what was written last, is written anew to return another number, and must then return that. One more
 * function writes the instruction that it is about to execute. After each write it orders instruction fetches behind
 * stores, by `fence.i` or by the system call for that, in turn. A line on standard input or a signal ends it: all functions
 * are called once more. Source: RISC-V Unprivileged ISA, "Zifencei"; Linux, arch/riscv/kernel/sys_riscv.c.
 */
import type { Assembler } from '../assembler/assembler.ts';
import { defineStart, defineUsageNear, requiredNumber } from './arguments.ts';
import { defineClock } from './clock.ts';
import { defineFunction, protection, systemCall } from './linux.ts';
import { mapPages, pageBytes, pageShift } from './memory-area.ts';
import { defineRateReport } from './rate-report.ts';
import { defineStopRequest } from './stop-request.ts';
import { defineTextOutput, endLine, printDecimal, printText } from './text-output.ts';

const functionsMax = 1 << 20;
/** 32 functions a page: enough pages for a translator to forget some of them. */
const slotShift = 7;
/** The clock and requests to stop are looked at after so many. */
const callsPerTurn = 256;

// Odd 64-bit constants with well-spread bits (from splitmix64).
const functionMix = 0x9e37_79b9_7f4a_7c15n;
const generationMix = 0xbf58_476d_1ce4_e5b9n;

// `lui a0, upper`, `addiw a0, a0, lower`, `ret`, `addi a0, zero, immediate`, each without its immediate.
const luiA0 = 0x0000_0537;
const addiwA0 = 0x0005_051b;
const addiA0 = 0x0000_0513;
const returnWord = 0x0000_8067;
const upperRounding = 0x800;
const immediateShift = 20;

// Registers of main, kept through all calls: s2 code, s3 functions, s4 functions written since all were written first,
// s5 function, s6 its generation, s7 the function that writes itself, s8 turn's end.

export function emitCodewriter(a: Assembler): void {
  defineStart(a, { usage: 'usage: codewriter FUNCTIONS', argumentsMin: 1, argumentsMax: 1 });
  defineUsageNear(a);
  defineFunction(a, 'main', { saves: [] }, () => {
    emitSetUp(a);
    a.label('codewriter.turn');
    a.addi('s8', 's4', callsPerTurn);
    a.label('codewriter.next');
    emitRewrite(a);
    emitSelfWrite(a);
    a.addi('s4', 's4', 1);
    a.bne('s4', 's8', 'codewriter.next');
    a.call('stop.poll');
    a.bnez('a0', 'codewriter.end');
    a.call('clock.now');
    a.mv('a1', 'a0');
    a.mv('a0', 's4');
    a.call('report.rate');
    a.j('codewriter.turn');
    a.label('codewriter.end');
    emitVerifyAll(a);
    a.li('a0', 0);
    a.j('main.return');
    emitMismatch(a, 'codewriter.stale', 'function');
    emitMismatch(a, 'codewriter.stale-self', 'own instruction before function');
  });
  defineCodeFunctions(a);
  defineStopRequest(a);
  defineRateReport(a, 'codewriter');
  defineClock(a);
  defineTextOutput(a);
}

function emitSetUp(a: Assembler): void {
  requiredNumber(a, 1, 's4', 1);
  a.li('t0', functionsMax);
  a.bltu('t0', 's4', 'usage.near');
  // One function more, for the one that writes itself.
  a.slli('s3', 's4', slotShift);
  a.li('t0', (1 << slotShift) + pageBytes - 1);
  a.add('s3', 's3', 't0');
  a.srli('s3', 's3', pageShift);
  mapPages(a, 'codewriter', protection.readWriteExecute);
  a.mv('s3', 's4');
  a.li('s5', 0);
  a.li('s6', 0);
  a.label('codewriter.fill');
  a.call('code.write');
  a.li('t0', returnWord);
  a.slli('t1', 's5', slotShift);
  a.add('t1', 't1', 's2');
  a.sw('t0', 8, 't1');
  a.addi('s5', 's5', 1);
  a.bne('s5', 's3', 'codewriter.fill');
  emitCopySelfWriter(a);
  a.call('code.order-by-fence');
  a.li('s4', 0);
  a.call('stop.install');
  a.call('clock.now');
  a.call('report.begin');
}

/** s7 becomes where it stands, behind the functions, on a page with some of them. */
function emitCopySelfWriter(a: Assembler): void {
  a.slli('s7', 's3', slotShift);
  a.add('s7', 's7', 's2');
  a.la('t0', 'code.self-writer');
  a.la('t1', 'code.self-writer-end');
  a.mv('t2', 's7');
  a.label('codewriter.copy');
  a.lw('t3', 0, 't0');
  a.sw('t3', 0, 't2');
  a.addi('t0', 't0', 4);
  a.addi('t2', 't2', 4);
  a.bne('t0', 't1', 'codewriter.copy');
}

function emitRewrite(a: Assembler): void {
  a.remu('s5', 's4', 's3');
  a.divu('s6', 's4', 's3');
  a.call('code.is-right');
  a.beqz('a0', 'codewriter.stale');
  a.addi('s6', 's6', 1);
  a.call('code.write');
  const byFence = a.fresh('codewriter.by-fence');
  const ordered = a.fresh('codewriter.ordered');
  a.andi('t0', 's4', 1);
  a.beqz('t0', byFence);
  a.call('code.order-by-call');
  a.j(ordered);
  a.label(byFence);
  a.call('code.order-by-fence');
  a.label(ordered);
  a.call('code.is-right');
  a.beqz('a0', 'codewriter.stale');
}

/** It is given its next instruction, which loads the lower 12 bits of how many were written, and returns what that does. */
function emitSelfWrite(a: Assembler): void {
  a.slli('a0', 's4', immediateShift);
  a.li('t0', addiA0);
  a.add('a0', 'a0', 't0');
  a.jalr('ra', 0, 's7');
  a.slli('t0', 's4', 64 - 12);
  a.srai('t0', 't0', 64 - 12);
  a.bne('a0', 't0', 'codewriter.stale-self');
}

/** The first `written modulo functions` are one generation ahead. */
function emitVerifyAll(a: Assembler): void {
  a.li('s5', 0);
  a.label('codewriter.verify-next');
  a.divu('s6', 's4', 's3');
  a.remu('t0', 's4', 's3');
  a.sltu('t0', 's5', 't0');
  a.add('s6', 's6', 't0');
  a.call('code.is-right');
  a.beqz('a0', 'codewriter.stale');
  a.addi('s5', 's5', 1);
  a.bne('s5', 's3', 'codewriter.verify-next');
  printText(a, 'codewriter: verified ');
  printDecimal(a, 's3');
  printText(a, ' functions');
  endLine(a);
}

function emitMismatch(a: Assembler, label: string, what: string): void {
  a.label(label);
  printText(a, `codewriter: MISMATCH ${what} `);
  printDecimal(a, 's5');
  printText(a, ' generation ');
  printDecimal(a, 's6');
  endLine(a);
  a.li('a0', 1);
  a.j('main.return');
}

/**
 * Emits `code.write()` and `code.is-right() -> a0 0 or 1` of function s5 in generation s6, the two ways to have fetches see
 * what was stored, and the function that writes itself, for copying.
 */
function defineCodeFunctions(a: Assembler): void {
  a.label('code.write');
  emitNumber(a);
  a.li('t2', upperRounding);
  a.add('t3', 't1', 't2');
  a.srli('t3', 't3', 12);
  a.slli('t3', 't3', 12);
  a.li('t2', luiA0);
  a.or('t3', 't3', 't2');
  a.sw('t3', 0, 't0');
  a.slli('t3', 't1', immediateShift);
  a.li('t2', addiwA0);
  a.add('t3', 't3', 't2');
  a.sw('t3', 4, 't0');
  a.ret();
  defineFunction(a, 'code.is-right', { saves: [] }, () => {
    a.slli('t0', 's5', slotShift);
    a.add('t0', 't0', 's2');
    a.jalr('ra', 0, 't0');
    emitNumber(a);
    a.xor('a0', 'a0', 't1');
    a.sltiu('a0', 'a0', 1);
  });
  a.label('code.order-by-call');
  a.slli('a0', 's5', slotShift);
  a.add('a0', 'a0', 's2');
  a.addi('a1', 'a0', 8);
  a.li('a2', 0);
  systemCall(a, 'riscvFlushIcache');
  a.bltz('a0', 'code.order-by-fence');
  a.ret();
  a.label('code.order-by-fence');
  a.fenceI();
  a.ret();
  a.label('code.self-writer');
  a.auipc('t0', 0);
  a.sw('a0', 12, 't0');
  a.fenceI();
  a.addi('a0', 'zero', 0);
  a.ret();
  a.label('code.self-writer-end');
}

/** t0 becomes where function s5 stands, t1 the number that it returns in generation s6: 32 bits, sign-extended. */
function emitNumber(a: Assembler): void {
  a.li('t0', functionMix);
  a.mul('t1', 't0', 's5');
  a.li('t0', generationMix);
  a.mul('t0', 't0', 's6');
  a.add('t1', 't1', 't0');
  a.srai('t1', 't1', 32);
  a.slli('t0', 's5', slotShift);
  a.add('t0', 't0', 's2');
}
