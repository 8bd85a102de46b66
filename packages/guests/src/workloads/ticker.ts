/**
 * `ticker [PERIOD_US [COUNT]]`: counts aloud, a line `t <counter> <CLOCK_MONOTONIC ns>` at each exact absolute
 * deadline. The counter never skips: lines that are late (the guest was suspended) come at once, each with the time at
 * which it was really made, so that an observer sees every gap.
 */
import type { Assembler } from '../assembler/assembler.ts';
import { defineStart, defineUsageNear, optionalNumber } from './arguments.ts';
import { defineClock } from './clock.ts';
import { defineFunction } from './linux.ts';
import { defineTextOutput, endLine, printDecimal, printText } from './text-output.ts';

const periodUsDefault = 1000;
const nsPerUs = 1000;

export function emitTicker(a: Assembler): void {
  defineStart(a, { usage: 'usage: ticker [PERIOD_US [COUNT]]', argumentsMin: 0, argumentsMax: 2 });
  defineUsageNear(a);
  defineFunction(a, 'main', { saves: [] }, () => {
    const [period, count, deadline, counter] = ['s2', 's3', 's4', 's5'] as const;
    optionalNumber(a, 1, period, { min: 1, absent: periodUsDefault });
    // 0 stands for no end: the counter never is 0 when it is compared.
    optionalNumber(a, 2, count, { min: 1, absent: 0 });
    a.li('t0', nsPerUs);
    a.mul(period, period, 't0');
    a.li(counter, 0);
    a.call('clock.now');
    a.add(deadline, 'a0', period);
    a.label('ticker.next');
    a.mv('a0', deadline);
    a.call('clock.sleep-until');
    a.bltz('a0', 'ticker.next');
    a.addi(counter, counter, 1);
    printText(a, 't ');
    printDecimal(a, counter);
    printText(a, ' ');
    a.call('clock.now');
    a.call('output.decimal');
    endLine(a);
    a.add(deadline, deadline, period);
    a.bne(counter, count, 'ticker.next');
    a.li('a0', 0);
  });
  defineClock(a);
  defineTextOutput(a);
}
