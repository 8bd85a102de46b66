/**
 * What has no fast path, one instruction at a time: entries that are not decoded yet, system instructions, atomics,
 * floating point, illegal ones. Each returns a status of outcome.ts.
 */
import { faultAddress } from '../access';
import { pageOfBase, runningBase } from '../code-cache';
import { fuseBackwards } from '../fuse';
import { decodeWord } from '../generated/decode-word';
import { PAGE_MASK, PC, RAM } from '../layout';
import { decodeLoneWord, fetchHalf } from '../lone-instruction';
import { faultCause } from '../mmu';
import { DONE, executeAtomic, ILLEGAL } from './atomic';
import { decodeCompressed } from './compressed';
import { executeFloat } from './float';
import { isFloatOff, markFloatDirty } from './float-state';
import {
  rememberFetch,
  STATUS_EXIT,
  STATUS_RETRY,
  STATUS_SCRATCH,
  STEP4,
  trap,
  trapIllegal,
} from './outcome';
import { executeSystem, ILLEGAL_SYSTEM, JUMPED, NEXT } from './zicsr';

export function illegal(ip: u32): u32 {
  return trapIllegal(load<u32>(ip, 4) as u64);
}

/** C.EBREAK. */
export function breakpoint(): u32 {
  return trap(3, 0);
}

export function floatInstruction(ip: u32): u32 {
  const instruction = load<u32>(ip, 4);
  if (isFloatOff() || executeFloat(instruction) !== 0) return trapIllegal(instruction as u64);
  markFloatDirty();
  return STEP4;
}

/** Register slot of rd; what is written to x0 goes to slot 32. */
function resultSlot(instruction: u32): u32 {
  const rd = (instruction >> 7) & 31;
  return rd === 0 ? 32 : rd;
}

export function atomicInstruction(ip: u32): u32 {
  const instruction = load<u32>(ip, 4);
  const outcome = executeAtomic(instruction, resultSlot(instruction));
  if (outcome === DONE) return STEP4;
  if (outcome === ILLEGAL) return trapIllegal(instruction as u64);
  return trap(faultCause, faultAddress);
}

export function system(ip: u32, pc: u64): u32 {
  const instruction = load<u32>(ip, 4);
  // Before the instruction: sfence.vma and satp forget the page that instructions come from.
  rememberFetch(pc & PAGE_MASK);
  const outcome = executeSystem(instruction, resultSlot(instruction));
  if (outcome === NEXT) return STEP4;
  if (outcome === JUMPED) return STATUS_EXIT;
  if (outcome === ILLEGAL_SYSTEM) return trapIllegal(instruction as u64);
  store<u64>(PC, pc + 4);
  return STATUS_EXIT;
}

export function decodeEntry(ip: u32, pc: u64): u32 {
  const offset = (ip - runningBase) >> 2;
  const host = RAM + (pageOfBase(runningBase) << 12) + offset;
  if (decodeAt(ip, host, offset)) return STATUS_RETRY;
  // The other half depends on the next virtual page: never cached.
  const second = fetchHalf(pc + 2);
  if (second === 0) return trap(faultCause, pc + 2);
  decodeLoneWord((load<u16>(host) as u32) | ((load<u16>(second) as u32) << 16));
  return STATUS_SCRATCH;
}

/** Decodes the instruction at `offset` in its page; false if it crosses the page's end, and nothing is decoded. */
export function decodeAt(entry: u32, host: u32, offset: u32): bool {
  const low = load<u16>(host) as u32;
  if ((low & 3) !== 3) decodeCompressed(entry, low, offset);
  else if (offset < 4094) decodeWord(entry, load<u32>(host), offset);
  else return false;
  fuseBackwards(entry, offset);
  return true;
}
