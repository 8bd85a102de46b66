/**
 * The F and D instructions of the major opcodes OP-FP, FMADD, FMSUB, FNMSUB and FNMADD: decoding, registers,
 * NaN boxing, rounding modes, and the accrual of flags into fcsr. Loads, stores and the check of mstatus.FS
 * are the caller's.
 * Omitted: H, Q and Zfa; their encodings are illegal.
 * Source: RISC-V Unprivileged ISA 20240411, "F" and "D" extensions, and "RV32/64G Instruction Set Listings".
 */
import { FCSR, FREG, XREG } from '../layout';
import { add, subtract } from '../softfloat/add';
import { classify } from '../softfloat/classify';
import { isEqual, isLess, isLessOrEqual } from '../softfloat/compare';
import {
  convertFormat,
  fromSigned,
  fromUnsigned,
  toSigned32,
  toSigned64,
  toUnsigned32,
  toUnsigned64,
} from '../softfloat/convert';
import { divide } from '../softfloat/divide';
import { takeRaised } from '../softfloat/flags';
import { canonicalNan, negated } from '../softfloat/format';
import { fusedMultiplyAdd } from '../softfloat/fused-multiply-add';
import { maximum, minimum } from '../softfloat/min-max';
import { multiply } from '../softfloat/multiply';
import { DYNAMIC, RMM } from '../softfloat/rounding-mode';
import { injectExclusiveOrSign, injectNegatedSign, injectSign } from '../softfloat/sign-inject';
import { squareRoot } from '../softfloat/square-root';

const DONE: u32 = 0;
const ILLEGAL: u32 = 1;

const OP_FP: u32 = 0x53;
const SINGLE: u32 = 0;
const DOUBLE: u32 = 1;
/** The upper half of a register that holds a boxed binary32. */
const BOX: u64 = 0xffffffff00000000;
/** The slot that takes writes to x0. */
const DISCARD_SLOT: u32 = 32;

/**
 * Executes one instruction of the five opcodes, writes its register and accrues its flags.
 * @returns 0 if done, 1 if the instruction is illegal; nothing is written then.
 */
export function executeFloat(instruction: u32): u32 {
  const format = (instruction >> 25) & 3;
  if (format > DOUBLE) return ILLEGAL;
  const outcome =
    (instruction & 0x7f) === OP_FP
      ? format === SINGLE
        ? executeOperation<u32, u64>(instruction)
        : executeOperation<u64, u32>(instruction)
      : format === SINGLE
        ? executeFused<u32>(instruction)
        : executeFused<u64>(instruction);
  const flags = takeRaised();
  if (flags !== 0) store<u32>(FCSR, load<u32>(FCSR) | flags);
  return outcome;
}

/** The four fused operations; bits 3:2 of the opcode say which signs to turn. */
function executeFused<T>(instruction: u32): u32 {
  const rm = roundingModeOf(instruction);
  if (rm > RMM) return ILLEGAL;
  let a = readFloat<T>(instruction >> 15);
  const b = readFloat<T>(instruction >> 20);
  let c = readFloat<T>(instruction >> 27);
  const variant = (instruction >> 2) & 3;
  // FMADD ab+c, FMSUB ab-c, FNMSUB -ab+c, FNMADD -ab-c.
  if (variant >= 2) a = negated<T>(a);
  if (variant === 1 || variant === 3) c = negated<T>(c);
  return writeFloat<T>(instruction, fusedMultiplyAdd<T>(a, b, c, rm));
}

/** OP-FP on format T; Other is the other format, for conversions between them. */
function executeOperation<T, Other>(instruction: u32): u32 {
  const operation = instruction >> 27;
  switch (operation) {
    case 0x04:
      return injectSigns<T>(instruction);
    case 0x05:
      return chooseExtreme<T>(instruction);
    case 0x14:
      return compareFloats<T>(instruction);
    case 0x1c:
      return moveOrClassify<T>(instruction);
    case 0x1e:
      return moveFromInteger<T>(instruction);
  }
  const rm = roundingModeOf(instruction);
  if (rm > RMM) return ILLEGAL;
  const a = readFloat<T>(instruction >> 15);
  const b = readFloat<T>(instruction >> 20);
  switch (operation) {
    case 0x00:
      return writeFloat<T>(instruction, add<T>(a, b, rm));
    case 0x01:
      return writeFloat<T>(instruction, subtract<T>(a, b, rm));
    case 0x02:
      return writeFloat<T>(instruction, multiply<T>(a, b, rm));
    case 0x03:
      return writeFloat<T>(instruction, divide<T>(a, b, rm));
    case 0x08:
      if (secondField(instruction) !== (sizeof<T>() === 4 ? DOUBLE : SINGLE)) return ILLEGAL;
      return writeFloat<T>(instruction, convertFormat<Other, T>(readFloat<Other>(instruction >> 15), rm));
    case 0x0b:
      if (secondField(instruction) !== 0) return ILLEGAL;
      return writeFloat<T>(instruction, squareRoot<T>(a, rm));
    case 0x18:
      return convertToInteger<T>(instruction, a, rm);
    case 0x1a:
      return convertFromInteger<T>(instruction, rm);
  }
  return ILLEGAL;
}

function injectSigns<T>(instruction: u32): u32 {
  const a = readFloat<T>(instruction >> 15);
  const b = readFloat<T>(instruction >> 20);
  switch (modeField(instruction)) {
    case 0:
      return writeFloat<T>(instruction, injectSign<T>(a, b));
    case 1:
      return writeFloat<T>(instruction, injectNegatedSign<T>(a, b));
    case 2:
      return writeFloat<T>(instruction, injectExclusiveOrSign<T>(a, b));
  }
  return ILLEGAL;
}

function chooseExtreme<T>(instruction: u32): u32 {
  const a = readFloat<T>(instruction >> 15);
  const b = readFloat<T>(instruction >> 20);
  switch (modeField(instruction)) {
    case 0:
      return writeFloat<T>(instruction, minimum<T>(a, b));
    case 1:
      return writeFloat<T>(instruction, maximum<T>(a, b));
  }
  return ILLEGAL;
}

function compareFloats<T>(instruction: u32): u32 {
  const a = readFloat<T>(instruction >> 15);
  const b = readFloat<T>(instruction >> 20);
  switch (modeField(instruction)) {
    case 0:
      return writeInteger(instruction, isLessOrEqual<T>(a, b) as u64);
    case 1:
      return writeInteger(instruction, isLess<T>(a, b) as u64);
    case 2:
      return writeInteger(instruction, isEqual<T>(a, b) as u64);
  }
  return ILLEGAL;
}

/** FMV.X.W moves the lower bits as they are, boxed or not; FCLASS looks at the value. */
function moveOrClassify<T>(instruction: u32): u32 {
  if (secondField(instruction) !== 0) return ILLEGAL;
  const mode = modeField(instruction);
  if (mode === 1) return writeInteger(instruction, classify<T>(readFloat<T>(instruction >> 15)) as u64);
  if (mode !== 0) return ILLEGAL;
  const bits = load<u64>(floatSlot(instruction >> 15));
  return writeInteger(instruction, sizeof<T>() === 4 ? (bits as i32 as i64 as u64) : bits);
}

function moveFromInteger<T>(instruction: u32): u32 {
  if (secondField(instruction) !== 0 || modeField(instruction) !== 0) return ILLEGAL;
  return writeFloat<T>(instruction, readInteger(instruction >> 15) as T);
}

function convertToInteger<T>(instruction: u32, a: T, rm: u32): u32 {
  switch (secondField(instruction)) {
    case 0:
      return writeInteger(instruction, toSigned32<T>(a, rm));
    case 1:
      return writeInteger(instruction, toUnsigned32<T>(a, rm));
    case 2:
      return writeInteger(instruction, toSigned64<T>(a, rm));
    case 3:
      return writeInteger(instruction, toUnsigned64<T>(a, rm));
  }
  return ILLEGAL;
}

function convertFromInteger<T>(instruction: u32, rm: u32): u32 {
  const value = readInteger(instruction >> 15);
  switch (secondField(instruction)) {
    case 0:
      return writeFloat<T>(instruction, fromSigned<T>(value as i32 as i64, rm));
    case 1:
      return writeFloat<T>(instruction, fromUnsigned<T>(value as u32 as u64, rm));
    case 2:
      return writeFloat<T>(instruction, fromSigned<T>(value as i64, rm));
    case 3:
      return writeFloat<T>(instruction, fromUnsigned<T>(value, rm));
  }
  return ILLEGAL;
}

/** Bits 14:12: the rounding mode, or which one of a group. */
function modeField(instruction: u32): u32 {
  return (instruction >> 12) & 7;
}

/** Bits 24:20: rs2, or which one of a group. */
function secondField(instruction: u32): u32 {
  return (instruction >> 20) & 31;
}

/** The mode to round with; above RMM if the instruction or frm holds a reserved one. */
function roundingModeOf(instruction: u32): u32 {
  const mode = modeField(instruction);
  return mode === DYNAMIC ? (load<u32>(FCSR) >> 5) & 7 : mode;
}

/** Only the lower five bits of a register's number count. */
function floatSlot(register: u32): u32 {
  return FREG + ((register & 31) << 3);
}

/** A binary32 that isn't boxed reads as the canonical NaN. */
function readFloat<T>(register: u32): T {
  const bits = load<u64>(floatSlot(register));
  if (sizeof<T>() === 4 && bits < BOX) return canonicalNan<T>();
  return bits as T;
}

function writeFloat<T>(instruction: u32, bits: T): u32 {
  store<u64>(floatSlot(instruction >> 7), sizeof<T>() === 4 ? BOX | (bits as u64) : (bits as u64));
  return DONE;
}

function readInteger(register: u32): u64 {
  return load<u64>(XREG + ((register & 31) << 3));
}

function writeInteger(instruction: u32, value: u64): u32 {
  const rd = (instruction >> 7) & 31;
  store<u64>(XREG + ((rd === 0 ? DISCARD_SLOT : rd) << 3), value);
  return DONE;
}
