/** Waiting for a descriptor to have something to read, for a time. Source: Linux, ppoll(2). */
import type { Assembler } from '../assembler/assembler.ts';
import { storeTimespec } from './clock.ts';
import { pollInput, systemCall } from './linux.ts';

const signalSetBytes = 8;

/**
 * The descriptor is in s2, the time in nanoseconds in a0; at the stack pointer 24 bytes for timespec and pollfd. a0 becomes 1,
 * 0 when the time is over, or less for an error.
 */
export function awaitInput(a: Assembler): void {
  storeTimespec(a);
  a.sw('s2', 16, 'sp');
  a.li('t0', pollInput);
  a.sw('t0', 20, 'sp');
  a.addi('a0', 'sp', 16);
  a.li('a1', 1);
  a.mv('a2', 'sp');
  a.li('a3', 0);
  a.li('a4', signalSetBytes);
  systemCall(a, 'ppoll');
}
