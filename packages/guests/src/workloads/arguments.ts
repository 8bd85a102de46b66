/**
 * The start of a workload and its command line: where argc and argv come from, decimal numbers, and the usage line
 * with exit code 2 for anything that is not understood.
 */
import type { Assembler } from '../assembler/assembler.ts';
import type { XRegister } from '../assembler/registers.ts';
import { systemCall } from './linux.ts';

/** More digits would not fit into 63 bits. */
const digitsMax = 18;

export interface CommandLine {
  /** Without a line end: `usage: ticker [PERIOD_US]`. */
  readonly usage: string;
  readonly argumentsMin: number;
  readonly argumentsMax: number;
}

/**
 * Emits the label `start`: checks the number of arguments, calls `main` with s0 = argc and s1 = argv, and exits with
 * what main returns in a0. Any code may jump to `usage`.
 */
export function defineStart(a: Assembler, commandLine: CommandLine): void {
  a.label('start');
  a.ld('s0', 0, 'sp');
  a.addi('s1', 'sp', 8);
  a.li('t0', commandLine.argumentsMin + 1);
  a.blt('s0', 't0', 'usage');
  a.li('t0', commandLine.argumentsMax + 1);
  a.blt('t0', 's0', 'usage');
  a.call('main');
  systemCall(a, 'exit');
  a.label('usage');
  a.li('a0', 2);
  a.la('a1', a.literal(`${commandLine.usage}\n`));
  a.li('a2', commandLine.usage.length + 1);
  systemCall(a, 'write');
  a.li('a0', 2);
  systemCall(a, 'exit');
  defineParseDecimal(a);
}

/** Loads argument `index` (from 1) as a number of at least `min`, in a function where s0 and s1 are untouched. */
export function requiredNumber(a: Assembler, index: number, rd: XRegister, min: number): void {
  a.ld('a0', 8 * index, 's1');
  a.call('arguments.decimal');
  a.beqz('a1', 'usage.near');
  a.li('t0', min);
  a.bltu('a0', 't0', 'usage.near');
  a.mv(rd, 'a0');
}

/** Like `requiredNumber`, with a default for when the argument is absent. */
export function optionalNumber(
  a: Assembler,
  index: number,
  rd: XRegister,
  options: { readonly min: number; readonly absent: number },
): void {
  const present = a.fresh('argument.present');
  const done = a.fresh('argument.done');
  a.li('t0', index);
  a.blt('t0', 's0', present);
  a.li(rd, options.absent);
  a.j(done);
  a.label(present);
  requiredNumber(a, index, rd, options.min);
  a.label(done);
}

/** Branches reach 4 KiB; each main puts this landing place near its checks. */
export function defineUsageNear(a: Assembler): void {
  a.label('usage.near');
  a.j('usage');
}

/** arguments.decimal(a0 text) -> a0 value, a1 1 if the text is a number and nothing else */
function defineParseDecimal(a: Assembler): void {
  a.label('arguments.decimal');
  a.mv('t0', 'a0');
  a.li('a0', 0);
  a.li('a1', 0);
  a.li('t1', digitsMax);
  a.li('t3', 10);
  a.label('arguments.decimal.digit');
  a.lbu('t2', 0, 't0');
  a.beqz('t2', 'arguments.decimal.end');
  a.addi('t2', 't2', -'0'.charCodeAt(0));
  a.bgeu('t2', 't3', 'arguments.decimal.refused');
  a.beqz('t1', 'arguments.decimal.refused');
  a.addi('t1', 't1', -1);
  a.mul('a0', 'a0', 't3');
  a.add('a0', 'a0', 't2');
  a.li('a1', 1);
  a.addi('t0', 't0', 1);
  a.j('arguments.decimal.digit');
  a.label('arguments.decimal.refused');
  a.li('a1', 0);
  a.label('arguments.decimal.end');
  a.ret();
}
