/**
 * Entries and their operands: one reader for each format of 32-bit instructions, called by the generated decodeWord,
 * which knows the operation. Compressed ones are in execute/compressed.ts. What can fail by machine state (CSR access,
 * FS, TVM ...) is not decided here: an entry depends on the instruction's bits only.
 * Source: RISC-V ISA manual, "Base Instruction Formats", "Immediate Encoding Variants".
 */
import { ADDI4, ILLEGAL4, LI4, LOAD_ZERO4, withoutResult } from './generated/operation-numbers';

/** Page offset that says: no jump from here is local (an instruction that crosses a page). */
export const OFFSET_CROSSING: u32 = 0xffffffff;

const NO_RESULT: u32 = 32;

/**
 * Register numbers are kept as offsets in the register file, so that none need be scaled when it runs. An entry is 8
 * bytes: operation, rd, rs1, rs2 (u8 each), imm (i32). LOAD_ZERO4 keeps the load's operation in place of rd.
 */
export function setEntry(entry: u32, operation: u32, rd: u32, rs1: u32, rs2: u32, imm: i32): void {
  let kind = operation;
  let destination = rd << 3;
  if (rd === NO_RESULT) {
    kind = withoutResult(operation);
    destination = kind === LOAD_ZERO4 ? operation : 0;
  }
  const low = kind | (destination << 8) | (rs1 << 19) | (rs2 << 27);
  store<u64>(entry, (low as u64) | ((imm as u32 as u64) << 32));
}

/** x0 as a destination: the result goes nowhere. */
export function sink(rd: u32): u32 {
  return rd === 0 ? NO_RESULT : rd;
}

/** True if a jump by `distance` bytes from `offset` stays in its page. */
export function isLocal(offset: u32, distance: i32): bool {
  return offset !== OFFSET_CROSSING && offset + (distance as u32) < 4096;
}

/** rd, rs1 and the I-type immediate. */
export function readImmediate(entry: u32, operation: u32, instruction: u32): void {
  const source = rs1Of(instruction);
  // ADDI from x0 is how a small constant is loaded.
  const kind = operation === ADDI4 && source === 0 ? LI4 : operation;
  setEntry(entry, kind, sink(rdOf(instruction)), source, 0, (instruction as i32) >> 20);
}

/** The same with a register of the other file, where 0 is a register like any other. */
export function readLoadFloat(entry: u32, operation: u32, instruction: u32): void {
  setEntry(entry, operation, rdOf(instruction), rs1Of(instruction), 0, (instruction as i32) >> 20);
}

/** rd, rs1 and a shift by up to 63. */
export function readShift(entry: u32, operation: u32, instruction: u32): void {
  const amount = (instruction >> 20) & 63;
  setEntry(entry, operation, sink(rdOf(instruction)), rs1Of(instruction), 0, amount as i32);
}

/** rd, rs1 and a shift by up to 31. */
export function readShiftWord(entry: u32, operation: u32, instruction: u32): void {
  setEntry(entry, operation, sink(rdOf(instruction)), rs1Of(instruction), 0, rs2Of(instruction) as i32);
}

export function readRegisters(entry: u32, operation: u32, instruction: u32): void {
  setEntry(entry, operation, sink(rdOf(instruction)), rs1Of(instruction), rs2Of(instruction), 0);
}

/** rd and rs1; the other fields belong to the operation. */
export function readSource(entry: u32, operation: u32, instruction: u32): void {
  setEntry(entry, operation, sink(rdOf(instruction)), rs1Of(instruction), 0, 0);
}

/** rd and the U-type immediate. */
export function readUpper(entry: u32, operation: u32, instruction: u32): void {
  setEntry(entry, operation, sink(rdOf(instruction)), 0, 0, (instruction & 0xfffff000) as i32);
}

/** rs1, rs2 and the S-type immediate. */
export function readStore(entry: u32, operation: u32, instruction: u32): void {
  const distance = (((instruction as i32) >> 25) << 5) | (rdOf(instruction) as i32);
  setEntry(entry, operation, 0, rs1Of(instruction), rs2Of(instruction), distance);
}

/** No operands. */
export function readNothing(entry: u32, operation: u32, _instruction: u32): void {
  setEntry(entry, operation, 0, 0, 0, 0);
}

/** The instruction itself, and the registers. x0 as a destination stays one. */
export function readWhole(entry: u32, operation: u32, instruction: u32): void {
  const rd = sink(rdOf(instruction));
  setEntry(entry, operation, rd, rs1Of(instruction), rs2Of(instruction), instruction as i32);
}

export function readLoadReserved(entry: u32, operation: u32, instruction: u32): void {
  if (rs2Of(instruction) === 0) readWhole(entry, operation, instruction);
  else setEntry(entry, ILLEGAL4, 0, 0, 0, instruction as i32);
}

export function readWholeFloat(entry: u32, operation: u32, instruction: u32): void {
  setEntry(entry, operation, rdOf(instruction), rs1Of(instruction), rs2Of(instruction), instruction as i32);
}

/** rs1, rs2 and the B-type immediate. A local branch carries the distance in entries' bytes. */
export function readBranch(entry: u32, local: u32, far: u32, instruction: u32, offset: u32): void {
  const distance = ((((instruction as i32) >> 31) << 12) |
    (((instruction << 4) & 0x800) as i32) |
    (((instruction >> 20) & 0x7e0) as i32) |
    (((instruction >> 7) & 0x1e) as i32)) as i32;
  const rs1 = rs1Of(instruction);
  const rs2 = rs2Of(instruction);
  if (isLocal(offset, distance)) setEntry(entry, local, 0, rs1, rs2, distance * 4);
  else setEntry(entry, far, 0, rs1, rs2, distance);
}

/** rd and the J-type immediate. A local jump carries the distance in entries' bytes. */
export function readJump(entry: u32, local: u32, far: u32, instruction: u32, offset: u32): void {
  const distance = ((((instruction as i32) >> 31) << 20) |
    ((instruction & 0xff000) as i32) |
    (((instruction >> 9) & 0x800) as i32) |
    (((instruction >> 20) & 0x7fe) as i32)) as i32;
  const rd = sink(rdOf(instruction));
  if (isLocal(offset, distance)) setEntry(entry, local, rd, 0, 0, distance * 4);
  else setEntry(entry, far, rd, 0, 0, distance);
}

function rdOf(instruction: u32): u32 {
  return (instruction >> 7) & 31;
}

function rs1Of(instruction: u32): u32 {
  return (instruction >> 15) & 31;
}

function rs2Of(instruction: u32): u32 {
  return (instruction >> 20) & 31;
}
