/**
 * Lines of text on standard output: collected in one buffer, written by one system call, so that lines of several
 * programs on one console do not mix. Lines are short; the buffer holds the longest one many times.
 */
import type { Assembler } from '../assembler/assembler.ts';
import type { XRegister } from '../assembler/registers.ts';
import { defineFunction, errors, reserveZeroed, systemCall } from './linux.ts';

const bufferBytes = 1024;

/** Appends a constant text. Changes a and t registers, as every call does. */
export function printText(a: Assembler, text: string): void {
  a.la('a0', a.literal(text));
  a.li('a1', new TextEncoder().encode(text).length);
  a.call('output.text');
}

/** Appends an unsigned decimal number. */
export function printDecimal(a: Assembler, value: XRegister): void {
  a.mv('a0', value);
  a.call('output.decimal');
}

/** Appends 16 hexadecimal digits. */
export function printHex(a: Assembler, value: XRegister): void {
  a.mv('a0', value);
  a.call('output.hex');
}

/** Ends the line and writes what was collected. */
export function endLine(a: Assembler): void {
  printText(a, '\n');
  a.call('output.flush');
}

/** Emits the functions behind the calls above. */
export function defineTextOutput(a: Assembler): void {
  reserveZeroed(a, 'output.buffer', bufferBytes);
  reserveZeroed(a, 'output.length', 8);
  defineAppend(a);
  defineDecimal(a);
  defineHex(a);
  defineFlush(a);
}

/** output.text(a0 address, a1 length) */
function defineAppend(a: Assembler): void {
  a.label('output.text');
  a.la('t0', 'output.length');
  a.ld('t1', 0, 't0');
  a.la('t2', 'output.buffer');
  a.add('t2', 't2', 't1');
  a.add('t1', 't1', 'a1');
  a.sd('t1', 0, 't0');
  a.add('a1', 'a0', 'a1');
  a.label('output.text.next');
  a.beq('a0', 'a1', 'output.text.done');
  a.lbu('t3', 0, 'a0');
  a.sb('t3', 0, 't2');
  a.addi('a0', 'a0', 1);
  a.addi('t2', 't2', 1);
  a.j('output.text.next');
  a.label('output.text.done');
  a.ret();
}

/** output.decimal(a0): 20 digits at most. */
function defineDecimal(a: Assembler): void {
  defineFunction(a, 'output.decimal', { saves: [], localBytes: 24 }, () => {
    a.addi('t0', 'sp', 24);
    a.addi('t4', 'sp', 24);
    a.li('t1', 10);
    a.label('output.decimal.digit');
    a.remu('t2', 'a0', 't1');
    a.divu('a0', 'a0', 't1');
    a.addi('t2', 't2', '0'.charCodeAt(0));
    a.addi('t0', 't0', -1);
    a.sb('t2', 0, 't0');
    a.bnez('a0', 'output.decimal.digit');
    a.mv('a0', 't0');
    a.sub('a1', 't4', 't0');
    a.call('output.text');
  });
}

function defineHex(a: Assembler): void {
  defineFunction(a, 'output.hex', { saves: [], localBytes: 16 }, () => {
    a.addi('t0', 'sp', 16);
    a.li('t3', 10);
    a.label('output.hex.digit');
    a.andi('t2', 'a0', 15);
    a.srli('a0', 'a0', 4);
    a.bltu('t2', 't3', 'output.hex.below-ten');
    a.addi('t2', 't2', 'a'.charCodeAt(0) - '0'.charCodeAt(0) - 10);
    a.label('output.hex.below-ten');
    a.addi('t2', 't2', '0'.charCodeAt(0));
    a.addi('t0', 't0', -1);
    a.sb('t2', 0, 't0');
    a.bne('t0', 'sp', 'output.hex.digit');
    a.mv('a0', 'sp');
    a.li('a1', 16);
    a.call('output.text');
  });
}

/** Writes all of it, however often the kernel takes a part; ends the program when nobody can read it any more. */
function defineFlush(a: Assembler): void {
  defineFunction(a, 'output.flush', { saves: ['s0', 's1'] }, () => {
    a.la('s0', 'output.buffer');
    a.la('t0', 'output.length');
    a.ld('s1', 0, 't0');
    a.sd('zero', 0, 't0');
    a.label('output.flush.rest');
    a.beqz('s1', 'output.flush.return');
    a.li('a0', 1);
    a.mv('a1', 's0');
    a.mv('a2', 's1');
    systemCall(a, 'write');
    a.bltz('a0', 'output.flush.failed');
    a.add('s0', 's0', 'a0');
    a.sub('s1', 's1', 'a0');
    a.j('output.flush.rest');
    a.label('output.flush.failed');
    for (const transient of [errors.interrupted, errors.again]) {
      a.li('t0', transient);
      a.beq('a0', 't0', 'output.flush.rest');
    }
    a.li('a0', 1);
    systemCall(a, 'exit');
  });
}
