/**
 * Loads and stores that the interpreter's fast paths leave over: translation to be done, devices, page crossings,
 * floating-point registers not yet marked dirty. Which size and sign goes with which operation: src/operations.
 */
import { faultAddress, loadedValue, loadVirtual, storeVirtual } from '../access';
import { ramAddress } from '../dirty';
import { loadBytesOf } from '../generated/operation-numbers';
import { FREG, PC, XREG } from '../layout';
import { ACCESS_FETCH, faultCause, translate } from '../mmu';
import { isFloatOff, markFloatDirty } from './float-state';
import { advance, STEP2, STEP4, trap, trapIllegal } from './outcome';

function address(ip: u32): u64 {
  return load<u64>(XREG + (load<u8>(ip, 2) as u32)) + (load<i32>(ip, 4) as i64 as u64);
}

/** `unused` is the number of high bits to fill with the sign; 0 for none. */
export function loadInteger(ip: u32, size: u32, unused: u32, step: u32): u32 {
  if (!loadVirtual(address(ip), size)) return trap(faultCause, faultAddress);
  const bits = unused as i64;
  const value = (((loadedValue as i64) << bits) >> bits) as u64;
  store<u64>(XREG + (load<u8>(ip, 1) as u32), value);
  return advance(step);
}

/** A load whose destination is x0: it may fault, and a device may notice. */
export function loadNowhere(ip: u32): u32 {
  const size = loadBytesOf(load<u8>(ip, 1) as u32);
  if (!loadVirtual(address(ip), size)) return trap(faultCause, faultAddress);
  return advance(STEP4);
}

export function storeInteger(ip: u32, size: u32, step: u32): u32 {
  const value = load<u64>(XREG + (load<u8>(ip, 3) as u32));
  if (!storeVirtual(address(ip), size, value)) return trap(faultCause, faultAddress);
  return advance(step);
}

export function loadFloat(ip: u32, size: u32, step: u32): u32 {
  if (isFloatOff()) return trapIllegal(instructionBits(step));
  if (!loadVirtual(address(ip), size)) return trap(faultCause, faultAddress);
  const boxed = size === 4 ? loadedValue | 0xffffffff00000000 : loadedValue;
  store<u64>(FREG + (load<u8>(ip, 1) as u32), boxed);
  markFloatDirty();
  return advance(step);
}

export function storeFloat(ip: u32, size: u32, step: u32): u32 {
  if (isFloatOff()) return trapIllegal(instructionBits(step));
  const value = load<u64>(FREG + (load<u8>(ip, 3) as u32));
  if (!storeVirtual(address(ip), size, value)) return trap(faultCause, faultAddress);
  return advance(step);
}

/** The bits of a floating-point load or store, which its entry does not keep: the instruction where PC points. */
function instructionBits(step: u32): u64 {
  const pc = load<u64>(PC);
  const host = ramAddress(translate(pc, ACCESS_FETCH), 2);
  const low = host === 0 ? 0 : (load<u16>(host) as u64);
  if (step === STEP2) return low;
  const second = ramAddress(translate(pc + 2, ACCESS_FETCH), 2);
  return second === 0 ? low : low | ((load<u16>(second) as u64) << 16);
}
