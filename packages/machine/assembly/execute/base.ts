/**
 * What the interpreter's fast paths leave over, one instruction at a time: loads and stores that miss, system
 * instructions, atomics, floating point, entries that are not decoded yet.
 */
import { faultAddress, loadedValue, loadVirtual, storeVirtual } from '../access';
import { takeDisturbance } from '../bus';
import { setStepsLeft } from '../clock';
import { pageOfBase, runningBase } from '../code-cache';
import { decodeWord, OFFSET_CROSSING } from '../decode';
import { ramAddress } from '../dirty';
import { firstOf, fuseBackwards } from '../fuse';
import { FETCH_PHYSICAL, FETCH_VIRTUAL, FREG, MSTATUS, NONE, PC, RAM, SCRATCH, XREG } from '../layout';
import { ACCESS_FETCH, faultCause, NO_ADDRESS, translate } from '../mmu';
import {
  ATOMIC4,
  DECODE,
  EBREAK2,
  FLD2,
  FLD4,
  FLOAT4,
  FLW4,
  FSD2,
  FSD4,
  FSW4,
  LB4,
  LBU4,
  LD2,
  LD4,
  LH4,
  LHU4,
  LOAD_ZERO4,
  LW2,
  LW4,
  LWU4,
  PAGE_END,
  SB4,
  SD2,
  SD4,
  SH4,
  SW2,
  SW4,
  SYSTEM4,
} from '../operation';
import { enterTrap } from '../trap';
import { DONE, executeAtomic, ILLEGAL } from './atomic';
import { decodeCompressed } from './compressed';
import { executeFloat } from './float';
import { executeSystem, ILLEGAL_SYSTEM, JUMPED, NEXT } from './zicsr';

/** The interpreter returns; PC is set. Every other status but the next two is a distance in entries' bytes. */
export const STATUS_EXIT: u32 = 0;
/** The entry is decoded now: execute it. No step is spent. */
export const STATUS_RETRY: u32 = 1;
/** The instruction crosses its page and stands decoded at SCRATCH. No step is spent. */
export const STATUS_SCRATCH: u32 = 2;
const STEP2: u32 = 8;
const STEP4: u32 = 16;

const STATUS_FS: u64 = 0x6000;
const CAUSE_ILLEGAL: u32 = 2;

/** Executes the instruction at an entry. `left` does not count it. */
export function executeSlowly(ip: u32, pc: u64, left: u32): u32 {
  store<u64>(PC, pc);
  setStepsLeft(left);
  switch (firstOf(load<u8>(ip) as u32)) {
    case DECODE:
      return decodeEntry(ip, pc);
    case LB4:
      return loadInteger(ip, 1, 56, STEP4);
    case LH4:
      return loadInteger(ip, 2, 48, STEP4);
    case LW4:
      return loadInteger(ip, 4, 32, STEP4);
    case LW2:
      return loadInteger(ip, 4, 32, STEP2);
    case LD4:
      return loadInteger(ip, 8, 0, STEP4);
    case LD2:
      return loadInteger(ip, 8, 0, STEP2);
    case LBU4:
      return loadInteger(ip, 1, 0, STEP4);
    case LHU4:
      return loadInteger(ip, 2, 0, STEP4);
    case LWU4:
      return loadInteger(ip, 4, 0, STEP4);
    case LOAD_ZERO4:
      return loadNowhere(ip);
    case SB4:
      return storeInteger(ip, 1, STEP4);
    case SH4:
      return storeInteger(ip, 2, STEP4);
    case SW4:
      return storeInteger(ip, 4, STEP4);
    case SW2:
      return storeInteger(ip, 4, STEP2);
    case SD4:
      return storeInteger(ip, 8, STEP4);
    case SD2:
      return storeInteger(ip, 8, STEP2);
    case FLW4:
      return loadFloat(ip, 4, STEP4);
    case FLD4:
      return loadFloat(ip, 8, STEP4);
    case FLD2:
      return loadFloat(ip, 8, STEP2);
    case FSW4:
      return storeFloat(ip, 4, STEP4);
    case FSD4:
      return storeFloat(ip, 8, STEP4);
    case FSD2:
      return storeFloat(ip, 8, STEP2);
    case SYSTEM4:
      return system(ip, pc);
    case ATOMIC4:
      return atomicInstruction(ip);
    case FLOAT4:
      return floatInstruction(ip);
    case EBREAK2:
      return trap(3, 0);
    default:
      return trap(CAUSE_ILLEGAL, load<u32>(ip, 4) as u64);
  }
}

/** Leaves behind which page instructions come from, so that going on there consults the TLB as if never stopped. */
export function rememberFetch(virtualBase: u64): void {
  if (runningBase === SCRATCH) {
    store<u64>(FETCH_VIRTUAL, NONE);
    return;
  }
  store<u64>(FETCH_VIRTUAL, virtualBase);
  store<u64>(FETCH_PHYSICAL, pageOfBase(runningBase) as u64);
}

function trap(cause: u32, value: u64): u32 {
  enterTrap(cause as u64, value);
  return STATUS_EXIT;
}

/** After an access: goes on at once unless a device changed what must be looked at before the next instruction. */
function advance(step: u32): u32 {
  if (!takeDisturbance()) return step;
  return leaveAfter(step);
}

function leaveAfter(step: u32): u32 {
  const pc = load<u64>(PC);
  rememberFetch(pc & 0xfffffffffffff000);
  store<u64>(PC, pc + ((step >> 2) as u64));
  return STATUS_EXIT;
}

function address(ip: u32): u64 {
  return load<u64>(XREG + (load<u8>(ip, 2) as u32)) + (load<i32>(ip, 4) as i64 as u64);
}

/** `unused` is the number of high bits to fill with the sign; 0 for none. */
function loadInteger(ip: u32, size: u32, unused: u32, step: u32): u32 {
  if (!loadVirtual(address(ip), size)) return trap(faultCause, faultAddress);
  const bits = unused as i64;
  const value = (((loadedValue as i64) << bits) >> bits) as u64;
  store<u64>(XREG + (load<u8>(ip, 1) as u32), value);
  return advance(step);
}

/** A load whose destination is x0: it may fault, and a device may notice. */
function loadNowhere(ip: u32): u32 {
  const operation = load<u8>(ip, 1) as u32;
  let size: u32 = 4;
  if (operation === LB4 || operation === LBU4) size = 1;
  else if (operation === LH4 || operation === LHU4) size = 2;
  else if (operation === LD4) size = 8;
  if (!loadVirtual(address(ip), size)) return trap(faultCause, faultAddress);
  return advance(STEP4);
}

function storeInteger(ip: u32, size: u32, step: u32): u32 {
  const value = load<u64>(XREG + (load<u8>(ip, 3) as u32));
  if (!storeVirtual(address(ip), size, value)) return trap(faultCause, faultAddress);
  return advance(step);
}

function isFloatOff(): bool {
  return (load<u64>(MSTATUS) & STATUS_FS) === 0;
}

function markFloatDirty(): void {
  store<u64>(MSTATUS, load<u64>(MSTATUS) | STATUS_FS);
}

/** The bits of a floating-point load or store, which its entry does not keep: the instruction where pc points. */
function instructionBits(step: u32, pc: u64): u64 {
  const host = ramAddress(translate(pc, ACCESS_FETCH), 2);
  const low = host === 0 ? 0 : (load<u16>(host) as u64);
  if (step === STEP2) return low;
  const second = ramAddress(translate(pc + 2, ACCESS_FETCH), 2);
  return second === 0 ? low : low | ((load<u16>(second) as u64) << 16);
}

function loadFloat(ip: u32, size: u32, step: u32): u32 {
  if (isFloatOff()) return trap(CAUSE_ILLEGAL, instructionBits(step, load<u64>(PC)));
  if (!loadVirtual(address(ip), size)) return trap(faultCause, faultAddress);
  const boxed = size === 4 ? loadedValue | 0xffffffff00000000 : loadedValue;
  store<u64>(FREG + (load<u8>(ip, 1) as u32), boxed);
  markFloatDirty();
  return advance(step);
}

function storeFloat(ip: u32, size: u32, step: u32): u32 {
  if (isFloatOff()) return trap(CAUSE_ILLEGAL, instructionBits(step, load<u64>(PC)));
  const value = load<u64>(FREG + (load<u8>(ip, 3) as u32));
  if (!storeVirtual(address(ip), size, value)) return trap(faultCause, faultAddress);
  return advance(step);
}

function floatInstruction(ip: u32): u32 {
  const instruction = load<u32>(ip, 4);
  if (isFloatOff() || executeFloat(instruction) !== 0) return trap(CAUSE_ILLEGAL, instruction as u64);
  markFloatDirty();
  return STEP4;
}

/** Register slot of rd; what is written to x0 goes to slot 32. */
function resultSlot(instruction: u32): u32 {
  const rd = (instruction >> 7) & 31;
  return rd === 0 ? 32 : rd;
}

function atomicInstruction(ip: u32): u32 {
  const instruction = load<u32>(ip, 4);
  const outcome = executeAtomic(instruction, resultSlot(instruction));
  if (outcome === DONE) return STEP4;
  if (outcome === ILLEGAL) return trap(CAUSE_ILLEGAL, instruction as u64);
  return trap(faultCause, faultAddress);
}

function system(ip: u32, pc: u64): u32 {
  const instruction = load<u32>(ip, 4);
  // Before the instruction: sfence.vma and satp forget the page that instructions come from.
  rememberFetch(pc & 0xfffffffffffff000);
  const outcome = executeSystem(instruction, resultSlot(instruction));
  if (outcome === NEXT) return STEP4;
  if (outcome === JUMPED) return STATUS_EXIT;
  if (outcome === ILLEGAL_SYSTEM) return trap(CAUSE_ILLEGAL, instruction as u64);
  store<u64>(PC, pc + 4);
  return STATUS_EXIT;
}

function decodeEntry(ip: u32, pc: u64): u32 {
  const offset = (ip - runningBase) >> 2;
  const host = RAM + (pageOfBase(runningBase) << 12) + offset;
  const low = load<u16>(host) as u32;
  if ((low & 3) !== 3) {
    decodeCompressed(ip, low, offset);
    fuseBackwards(ip, offset);
    return STATUS_RETRY;
  }
  if (offset < 4094) {
    decodeWord(ip, load<u32>(host), offset);
    fuseBackwards(ip, offset);
    return STATUS_RETRY;
  }
  // The other half depends on the next virtual page: never cached.
  const physical = translate(pc + 2, ACCESS_FETCH);
  if (physical === NO_ADDRESS) return trap(faultCause, pc + 2);
  const second = ramAddress(physical, 2);
  if (second === 0) return trap(1, pc + 2);
  decodeWord(SCRATCH, low | ((load<u16>(second) as u32) << 16), OFFSET_CROSSING);
  store<u64>(SCRATCH, PAGE_END as u64, 8);
  store<u64>(SCRATCH, PAGE_END as u64, 16);
  return STATUS_SCRATCH;
}
