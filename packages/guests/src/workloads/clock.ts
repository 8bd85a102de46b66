/** The monotonic clock in nanoseconds, and sleeping until an absolute time on it. */
import type { Assembler } from '../assembler/assembler.ts';
import { clockMonotonic, defineFunction, systemCall, timerAbsolute } from './linux.ts';

export const nsPerMs = 1_000_000;
export const nsPerSecond = 1_000_000_000;

/**
 * Emits `clock.now() -> a0 ns` and `clock.sleep-until(a0 ns)`, which returns below zero in a0 when a signal ended the
 * sleep early. A time that has passed is no sleep at all.
 */
export function defineClock(a: Assembler): void {
  defineFunction(a, 'clock.now', { saves: [], localBytes: 16 }, () => {
    a.li('a0', clockMonotonic);
    a.mv('a1', 'sp');
    systemCall(a, 'clockGettime');
    a.ld('t0', 0, 'sp');
    a.ld('t1', 8, 'sp');
    a.li('t2', nsPerSecond);
    a.mul('t0', 't0', 't2');
    a.add('a0', 't0', 't1');
  });
  defineFunction(a, 'clock.sleep-until', { saves: [], localBytes: 16 }, () => {
    storeTimespec(a);
    a.li('a0', clockMonotonic);
    a.li('a1', timerAbsolute);
    a.mv('a2', 'sp');
    a.li('a3', 0);
    systemCall(a, 'clockNanosleep');
  });
}

/** Stores a0 nanoseconds as a timespec at the stack pointer. Changes t0 and t1. */
export function storeTimespec(a: Assembler): void {
  a.li('t0', nsPerSecond);
  a.divu('t1', 'a0', 't0');
  a.sd('t1', 0, 'sp');
  a.remu('t1', 'a0', 't0');
  a.sd('t1', 8, 'sp');
}
