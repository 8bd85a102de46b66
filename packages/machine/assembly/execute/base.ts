/**
 * What the interpreter's fast paths leave over, one instruction at a time: loads and stores that miss, system
 * instructions, atomics, floating point, entries that are not decoded yet.
 */
import { faultAddress, loadedValue, loadVirtual, storeVirtual } from '../access';
import { takeDisturbance } from '../bus';
import { setStepsLeft } from '../clock';
import { pageOfBase, setRunningBase } from '../code-cache';
import { decodeWord, OFFSET_CROSSING } from '../decode';
import { ramAddress } from '../dirty';
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
export function executeSlowly(ip: u32, entryBase: u32, pc: u64, left: u32): u32 {
  store<u64>(PC, pc);
  setRunningBase(entryBase);
  setStepsLeft(left);
  switch (load<u8>(ip) as u32) {
    case DECODE:
      return decodeEntry(ip, entryBase, pc);
    case LB4:
      return loadInteger(ip, entryBase, 1, 56, STEP4);
    case LH4:
      return loadInteger(ip, entryBase, 2, 48, STEP4);
    case LW4:
      return loadInteger(ip, entryBase, 4, 32, STEP4);
    case LW2:
      return loadInteger(ip, entryBase, 4, 32, STEP2);
    case LD4:
      return loadInteger(ip, entryBase, 8, 0, STEP4);
    case LD2:
      return loadInteger(ip, entryBase, 8, 0, STEP2);
    case LBU4:
      return loadInteger(ip, entryBase, 1, 0, STEP4);
    case LHU4:
      return loadInteger(ip, entryBase, 2, 0, STEP4);
    case LWU4:
      return loadInteger(ip, entryBase, 4, 0, STEP4);
    case SB4:
      return storeInteger(ip, entryBase, 1, STEP4);
    case SH4:
      return storeInteger(ip, entryBase, 2, STEP4);
    case SW4:
      return storeInteger(ip, entryBase, 4, STEP4);
    case SW2:
      return storeInteger(ip, entryBase, 4, STEP2);
    case SD4:
      return storeInteger(ip, entryBase, 8, STEP4);
    case SD2:
      return storeInteger(ip, entryBase, 8, STEP2);
    case FLW4:
      return loadFloat(ip, entryBase, 4, STEP4);
    case FLD4:
      return loadFloat(ip, entryBase, 8, STEP4);
    case FLD2:
      return loadFloat(ip, entryBase, 8, STEP2);
    case FSW4:
      return storeFloat(ip, entryBase, 4, STEP4);
    case FSD4:
      return storeFloat(ip, entryBase, 8, STEP4);
    case FSD2:
      return storeFloat(ip, entryBase, 8, STEP2);
    case SYSTEM4:
      return system(ip, entryBase, pc);
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
export function rememberFetch(entryBase: u32, virtualBase: u64): void {
  if (entryBase === SCRATCH) {
    store<u64>(FETCH_VIRTUAL, NONE);
    return;
  }
  store<u64>(FETCH_VIRTUAL, virtualBase);
  store<u64>(FETCH_PHYSICAL, pageOfBase(entryBase) as u64);
}

function trap(cause: u32, value: u64): u32 {
  enterTrap(cause as u64, value);
  return STATUS_EXIT;
}

/** After an access: goes on at once unless a device changed what must be looked at before the next instruction. */
function advance(entryBase: u32, step: u32): u32 {
  if (!takeDisturbance()) return step;
  return leaveAfter(entryBase, step);
}

function leaveAfter(entryBase: u32, step: u32): u32 {
  const pc = load<u64>(PC);
  rememberFetch(entryBase, pc & 0xfffffffffffff000);
  store<u64>(PC, pc + ((step >> 2) as u64));
  return STATUS_EXIT;
}

function address(ip: u32): u64 {
  return load<u64>(XREG + ((load<u8>(ip, 2) as u32) << 3)) + (load<i32>(ip, 4) as i64 as u64);
}

/** `unused` is the number of high bits to fill with the sign; 0 for none. */
function loadInteger(ip: u32, entryBase: u32, size: u32, unused: u32, step: u32): u32 {
  if (!loadVirtual(address(ip), size)) return trap(faultCause, faultAddress);
  const bits = unused as i64;
  const value = (((loadedValue as i64) << bits) >> bits) as u64;
  store<u64>(XREG + ((load<u8>(ip, 1) as u32) << 3), value);
  return advance(entryBase, step);
}

function storeInteger(ip: u32, entryBase: u32, size: u32, step: u32): u32 {
  const value = load<u64>(XREG + ((load<u8>(ip, 3) as u32) << 3));
  if (!storeVirtual(address(ip), size, value)) return trap(faultCause, faultAddress);
  return advance(entryBase, step);
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

function loadFloat(ip: u32, entryBase: u32, size: u32, step: u32): u32 {
  if (isFloatOff()) return trap(CAUSE_ILLEGAL, instructionBits(step, load<u64>(PC)));
  if (!loadVirtual(address(ip), size)) return trap(faultCause, faultAddress);
  const boxed = size === 4 ? loadedValue | 0xffffffff00000000 : loadedValue;
  store<u64>(FREG + ((load<u8>(ip, 1) as u32) << 3), boxed);
  markFloatDirty();
  return advance(entryBase, step);
}

function storeFloat(ip: u32, entryBase: u32, size: u32, step: u32): u32 {
  if (isFloatOff()) return trap(CAUSE_ILLEGAL, instructionBits(step, load<u64>(PC)));
  const value = load<u64>(FREG + ((load<u8>(ip, 3) as u32) << 3));
  if (!storeVirtual(address(ip), size, value)) return trap(faultCause, faultAddress);
  return advance(entryBase, step);
}

function floatInstruction(ip: u32): u32 {
  const instruction = load<u32>(ip, 4);
  if (isFloatOff() || executeFloat(instruction) !== 0) return trap(CAUSE_ILLEGAL, instruction as u64);
  markFloatDirty();
  return STEP4;
}

function atomicInstruction(ip: u32): u32 {
  const instruction = load<u32>(ip, 4);
  const outcome = executeAtomic(instruction, load<u8>(ip, 1) as u32);
  if (outcome === DONE) return STEP4;
  if (outcome === ILLEGAL) return trap(CAUSE_ILLEGAL, instruction as u64);
  return trap(faultCause, faultAddress);
}

function system(ip: u32, entryBase: u32, pc: u64): u32 {
  const instruction = load<u32>(ip, 4);
  // Before the instruction: sfence.vma and satp forget the page that instructions come from.
  rememberFetch(entryBase, pc & 0xfffffffffffff000);
  const outcome = executeSystem(instruction, load<u8>(ip, 1) as u32);
  if (outcome === NEXT) return STEP4;
  if (outcome === JUMPED) return STATUS_EXIT;
  if (outcome === ILLEGAL_SYSTEM) return trap(CAUSE_ILLEGAL, instruction as u64);
  store<u64>(PC, pc + 4);
  return STATUS_EXIT;
}

function decodeEntry(ip: u32, entryBase: u32, pc: u64): u32 {
  const offset = (ip - entryBase) >> 2;
  const host = RAM + (pageOfBase(entryBase) << 12) + offset;
  const low = load<u16>(host) as u32;
  if ((low & 3) !== 3) {
    decodeCompressed(ip, low, offset);
    return STATUS_RETRY;
  }
  if (offset < 4094) {
    decodeWord(ip, load<u32>(host), offset);
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
