/**
 * Instructions that no page of entries can hold, decoded at SCRATCH each time they are executed: one that crosses into
 * the next page, whose second half depends on another translation, and any of a page of which PMP lets only parts be
 * executed.
 */
import { OFFSET_CROSSING } from './decode';
import { ramAddress } from './dirty';
import { decodeCompressed } from './execute/compressed';
import { decodeWord } from './generated/decode-word';
import { PAGE_END } from './generated/operation-numbers';
import { SCRATCH } from './layout';
import {
  ACCESS_FETCH,
  accessFault,
  faultCause,
  isAccessPermitted,
  NO_ADDRESS,
  setFault,
  translate,
} from './mmu';
import { enterTrap } from './trap';

/** Host address of half an instruction; 0 for an exception, faultCause says which. */
export function fetchHalf(virtual: u64): u32 {
  const physical = translate(virtual, ACCESS_FETCH);
  if (physical === NO_ADDRESS) return 0;
  const host = isAccessPermitted(physical, 2, ACCESS_FETCH) ? ramAddress(physical, 2) : 0;
  if (host === 0) setFault(accessFault(ACCESS_FETCH));
  return host;
}

export function decodeLoneWord(instruction: u32): void {
  decodeWord(SCRATCH, instruction, OFFSET_CROSSING);
  endScratch();
}

/** Decodes the instruction at `pc` and returns SCRATCH; 0 after an exception, which has been taken. */
export function fetchLoneInstruction(pc: u64): u32 {
  const first = fetchHalf(pc);
  if (first === 0) return refuse(pc);
  const low = load<u16>(first) as u32;
  if ((low & 3) !== 3) {
    decodeCompressed(SCRATCH, low, OFFSET_CROSSING);
    endScratch();
    return SCRATCH;
  }
  const second = fetchHalf(pc + 2);
  if (second === 0) return refuse(pc + 2);
  decodeLoneWord(low | ((load<u16>(second) as u32) << 16));
  return SCRATCH;
}

/** Whatever its length, what comes after the instruction is a jump to the next one. */
function endScratch(): void {
  store<u64>(SCRATCH, PAGE_END as u64, 8);
  store<u64>(SCRATCH, PAGE_END as u64, 16);
}

function refuse(virtual: u64): u32 {
  enterTrap(faultCause as u64, virtual);
  return 0;
}
