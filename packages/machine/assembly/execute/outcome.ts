/**
 * How an instruction ends that the interpreter's switch left over: what the interpreter does next, and what is left
 * behind for going on after a pause.
 */
import { takeDisturbance } from '../bus';
import { pageOfBase, runningBase } from '../code-cache';
import { FETCH_PHYSICAL, FETCH_VIRTUAL, NONE, PAGE_MASK, PC, SCRATCH } from '../layout';
import { enterTrap } from '../trap';

/** The interpreter returns; PC is set. Every other status but the next two is a distance in entries' bytes. */
export const STATUS_EXIT: u32 = 0;
/** The entry is decoded now: execute it. No step is spent. */
export const STATUS_RETRY: u32 = 1;
/** The instruction crosses its page and stands decoded at SCRATCH. No step is spent. */
export const STATUS_SCRATCH: u32 = 2;
/** Distances to the next instruction's entry, after one of 2 and of 4 bytes. */
export const STEP2: u32 = 8;
export const STEP4: u32 = 16;

/** Leaves behind which page instructions come from, so that going on there consults the TLB as if never stopped. */
export function rememberFetch(virtualBase: u64): void {
  if (runningBase === SCRATCH) {
    store<u64>(FETCH_VIRTUAL, NONE);
    return;
  }
  store<u64>(FETCH_VIRTUAL, virtualBase);
  store<u64>(FETCH_PHYSICAL, pageOfBase(runningBase) as u64);
}

export function trap(cause: u32, value: u64): u32 {
  enterTrap(cause as u64, value);
  return STATUS_EXIT;
}

/** The trap value of an illegal instruction is its bits. */
export function trapIllegal(instruction: u64): u32 {
  return trap(2, instruction);
}

/** After an access: goes on at once unless a device changed what must be looked at before the next instruction. */
export function advance(step: u32): u32 {
  if (!takeDisturbance()) return step;
  const pc = load<u64>(PC);
  rememberFetch(pc & PAGE_MASK);
  store<u64>(PC, pc + ((step >> 2) as u64));
  return STATUS_EXIT;
}
