/**
 * Loads and stores, integer and floating point. The interpreter does those whose page has a fast entry; the others,
 * and floating-point ones while FS is not dirty, are done by assembly/execute/memory.ts. A load into x0 is an
 * operation of its own, which no fast path does: it may fault, and a device may notice.
 * Source: RISC-V ISA manual, "Load and Store Instructions"; "F" and "D" extensions.
 */
import { loadFloat, loadInteger, storeFloat, storeInteger } from './encoding.ts';
import type { AccessBytes, Effect, Instruction } from './instruction.ts';

const loadSigned = (bytes: AccessBytes): Effect => ({ kind: 'load', bytes, isSigned: true, file: 'integer' });
const loadUnsigned = (bytes: AccessBytes): Effect => ({
  kind: 'load',
  bytes,
  isSigned: false,
  file: 'integer',
});
const loadToFloat = (bytes: AccessBytes): Effect => ({ kind: 'load', bytes, isSigned: false, file: 'float' });
const storeFromInteger = (bytes: AccessBytes): Effect => ({ kind: 'store', bytes, file: 'integer' });
const storeFromFloat = (bytes: AccessBytes): Effect => ({ kind: 'store', bytes, file: 'float' });

/** Name of the operation of a load whose result goes nowhere. Its entry keeps the load's number in place of rd. */
export const loadZero = 'LOAD_ZERO';

const integerLoads: readonly Instruction[] = [
  { name: 'LB', lengths: [4], encoding: loadInteger(0), effect: loadSigned(1) },
  { name: 'LH', lengths: [4], encoding: loadInteger(1), effect: loadSigned(2) },
  { name: 'LW', lengths: [4, 2], encoding: loadInteger(2), effect: loadSigned(4) },
  { name: 'LD', lengths: [4, 2], encoding: loadInteger(3), effect: loadSigned(8) },
  { name: 'LBU', lengths: [4], encoding: loadInteger(4), effect: loadUnsigned(1) },
  { name: 'LHU', lengths: [4], encoding: loadInteger(5), effect: loadUnsigned(2) },
  { name: 'LWU', lengths: [4], encoding: loadInteger(6), effect: loadUnsigned(4) },
];

export const memoryInstructions: readonly Instruction[] = [
  ...integerLoads.map((load) => ({ ...load, withoutResult: loadZero })),
  { name: loadZero, lengths: [4], effect: { kind: 'slow', call: 'loadNowhere(ip)' } },
  { name: 'FLW', lengths: [4], encoding: loadFloat(2), effect: loadToFloat(4) },
  { name: 'FLD', lengths: [4, 2], encoding: loadFloat(3), effect: loadToFloat(8) },
  { name: 'SB', lengths: [4], encoding: storeInteger(0), effect: storeFromInteger(1) },
  { name: 'SH', lengths: [4], encoding: storeInteger(1), effect: storeFromInteger(2) },
  { name: 'SW', lengths: [4, 2], encoding: storeInteger(2), effect: storeFromInteger(4) },
  { name: 'SD', lengths: [4, 2], encoding: storeInteger(3), effect: storeFromInteger(8) },
  { name: 'FSW', lengths: [4], encoding: storeFloat(2), effect: storeFromFloat(4) },
  { name: 'FSD', lengths: [4, 2], encoding: storeFloat(3), effect: storeFromFloat(8) },
];
