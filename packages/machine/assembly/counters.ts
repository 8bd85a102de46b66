/**
 * mcycle and minstret. A counter that runs is kept as its distance to the steps; one that is inhibited, as its value. The
 * instruction that starts a counter or stops it is not counted.
 * Source: RISC-V privileged manual, "Hardware Performance Monitor", "Machine Counter-Inhibit (mcountinhibit) Register".
 */
import { currentSteps } from './clock';
import { CYCLE_OFFSET, MCOUNTINHIBIT, RETIRED_OFFSET } from './layout';

/** Numbers of the counters: bits of mcountinhibit, offsets of the CSRs from mcycle and cycle. */
export const COUNTER_CYCLE: u32 = 0;
export const COUNTER_RETIRED: u32 = 2;

function fieldOf(counter: u32): u32 {
  return counter === COUNTER_CYCLE ? CYCLE_OFFSET : RETIRED_OFFSET;
}

export function isInhibited(counter: u32): bool {
  return ((load<u64>(MCOUNTINHIBIT) >> (counter as u64)) & 1) !== 0;
}

export function counterValue(counter: u32): u64 {
  const kept = load<u64>(fieldOf(counter));
  return isInhibited(counter) ? kept : currentSteps() - kept;
}

/** The next instruction reads `value`. */
export function setCounter(counter: u32, value: u64): void {
  store<u64>(fieldOf(counter), isInhibited(counter) ? value : currentSteps() + 1 - value);
}

/** Writes mcountinhibit. Bit 1, for time, does not exist; those of the other counters only remember what was written. */
export function setInhibited(bits: u64): void {
  const cycle = counterValue(COUNTER_CYCLE);
  const retired = counterValue(COUNTER_RETIRED);
  const changed = load<u64>(MCOUNTINHIBIT) ^ bits;
  store<u64>(MCOUNTINHIBIT, bits & 0xfffffffd);
  if ((changed & 1) !== 0) setCounter(COUNTER_CYCLE, cycle);
  if ((changed & 4) !== 0) setCounter(COUNTER_RETIRED, retired);
}

/** A trap is a step in which nothing is retired. */
export function retireNothing(): void {
  if (!isInhibited(COUNTER_RETIRED)) store<u64>(RETIRED_OFFSET, load<u64>(RETIRED_OFFSET) + 1);
}
