/** Once a second a line `NAME: COUNT RATE`: how much was done so far, and how much a second since the last such line. */
import type { Assembler } from '../assembler/assembler.ts';
import { nsPerSecond } from './clock.ts';
import { defineFunction, reserveZeroed } from './linux.ts';
import { endLine, printDecimal, printText } from './text-output.ts';

/**
 * Emits `report.begin(a0 now ns)` and `report.rate(a0 count, a1 now ns)`, which prints if the last line is a second old.
 * The rate is rounded.
 */
export function defineRateReport(a: Assembler, program: string): void {
  reserveZeroed(a, 'report.last', 16);
  a.label('report.begin');
  a.la('t0', 'report.last');
  a.sd('a0', 0, 't0');
  a.ret();
  defineFunction(a, 'report.rate', { saves: ['s0', 's1'] }, () => {
    a.la('t2', 'report.last');
    a.ld('t0', 0, 't2');
    a.sub('t0', 'a1', 't0');
    a.li('t1', nsPerSecond);
    a.bltu('t0', 't1', 'report.rate.return');
    a.mv('s0', 'a0');
    a.ld('s1', 8, 't2');
    a.sd('a1', 0, 't2');
    a.sd('a0', 8, 't2');
    a.sub('s1', 's0', 's1');
    a.mul('s1', 's1', 't1');
    a.srli('t1', 't0', 1);
    a.add('s1', 's1', 't1');
    a.divu('s1', 's1', 't0');
    printText(a, `${program}: `);
    printDecimal(a, 's0');
    printText(a, ' ');
    printDecimal(a, 's1');
    endLine(a);
  });
}
