/**
 * Turns one 32-bit instruction into a decoded entry. Compressed ones are in execute/compressed.ts. What can fail by
 * machine state (CSR access, FS, TVM ...) is not decided here: an entry depends on the instruction's bits only.
 * Source: RISC-V ISA manual, "RV32/64G Instruction Set Listings".
 */
import {
  ADD2,
  ADD4,
  ADDI2,
  ADDI4,
  ADDIW4,
  ADDW4,
  AND4,
  ANDI4,
  ATOMIC4,
  AUIPC4,
  BEQ_FAR4,
  BEQ_LOCAL4,
  BGE_FAR4,
  BGE_LOCAL4,
  BGEU_FAR4,
  BGEU_LOCAL4,
  BLT_FAR4,
  BLT_LOCAL4,
  BLTU_FAR4,
  BLTU_LOCAL4,
  BNE_FAR4,
  BNE_LOCAL4,
  DIV4,
  DIVU4,
  DIVUW4,
  DIVW4,
  FENCE_I4,
  FENCE4,
  FLD4,
  FLOAT4,
  FLW4,
  FSD4,
  FSW4,
  ILLEGAL4,
  J_FAR2,
  J_FAR4,
  J_LOCAL2,
  J_LOCAL4,
  JAL_FAR4,
  JAL_LOCAL4,
  JALR4,
  JR2,
  JR4,
  LB4,
  LBU4,
  LD4,
  LH4,
  LHU4,
  LI2,
  LI4,
  LOAD_ZERO4,
  LW4,
  LWU4,
  MUL4,
  MULH4,
  MULHSU4,
  MULHU4,
  MULW4,
  MV2,
  NOP2,
  NOP4,
  OR4,
  ORI4,
  REM4,
  REMU4,
  REMUW4,
  REMW4,
  SB4,
  SD4,
  SH4,
  SLL4,
  SLLI2,
  SLLI4,
  SLLIW4,
  SLLW4,
  SLT4,
  SLTI4,
  SLTIU4,
  SLTU4,
  SRA4,
  SRAI4,
  SRAIW4,
  SRAW4,
  SRL4,
  SRLI4,
  SRLIW4,
  SRLW4,
  SUB4,
  SUBW4,
  SW4,
  SYSTEM4,
  XOR4,
  XORI4,
} from './operation';

/** Page offset that says: no jump from here is local (an instruction that crosses a page). */
export const OFFSET_CROSSING: u32 = 0xffffffff;

/** Register numbers are kept as offsets in the register file, so that none need be scaled when it runs. */
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

const NO_RESULT: u32 = 32;

/** x0 as a destination: the result goes nowhere. */
export function sink(rd: u32): u32 {
  return rd === 0 ? NO_RESULT : rd;
}

/** The operation that does the same but for its result. LOAD_ZERO4 keeps the load's operation in its rd. */
function withoutResult(operation: u32): u32 {
  if (operation >= LB4 && operation <= LWU4) return LOAD_ZERO4;
  switch (operation) {
    case JAL_FAR4:
      return J_FAR4;
    case JALR4:
      return JR4;
    case LI2:
    case ADDI2:
    case MV2:
    case ADD2:
    case SLLI2:
      return NOP2;
    case SYSTEM4:
    case ATOMIC4:
    case FENCE4:
    case FENCE_I4:
    case ILLEGAL4:
    case J_FAR2:
    case J_LOCAL2:
    case J_LOCAL4:
    case JR2:
      return operation;
    default:
      return NOP4;
  }
}

/** True if a jump by `distance` bytes from `offset` stays in its page. */
export function isLocal(offset: u32, distance: i32): bool {
  return offset !== OFFSET_CROSSING && offset + (distance as u32) < 4096;
}

/** `offset` is the instruction's place in its page. */
export function decodeWord(entry: u32, instruction: u32, offset: u32): void {
  const rd = (instruction >> 7) & 31;
  const rs1 = (instruction >> 15) & 31;
  const rs2 = (instruction >> 20) & 31;
  const funct3 = (instruction >> 12) & 7;
  const immediate = (instruction as i32) >> 20;
  switch ((instruction >> 2) & 31) {
    case 0x00:
      setEntry(entry, loadOperation(funct3), sink(rd), rs1, 0, immediate);
      break;
    case 0x01:
      setEntry(entry, funct3 === 2 ? FLW4 : funct3 === 3 ? FLD4 : ILLEGAL4, rd, rs1, 0, immediate);
      break;
    case 0x03:
      setEntry(entry, funct3 === 0 ? FENCE4 : funct3 === 1 ? FENCE_I4 : ILLEGAL4, 32, 0, 0, 0);
      break;
    case 0x04:
      decodeImmediate(entry, instruction, sink(rd), rs1, funct3, immediate);
      break;
    case 0x05:
      setEntry(entry, AUIPC4, sink(rd), 0, 0, (instruction & 0xfffff000) as i32);
      break;
    case 0x06:
      decodeImmediateWord(entry, instruction, sink(rd), rs1, funct3, immediate);
      break;
    case 0x08:
      setEntry(entry, storeOperation(funct3), 0, rs1, rs2, storeImmediate(instruction));
      break;
    case 0x09:
      setEntry(
        entry,
        funct3 === 2 ? FSW4 : funct3 === 3 ? FSD4 : ILLEGAL4,
        0,
        rs1,
        rs2,
        storeImmediate(instruction),
      );
      break;
    case 0x0b:
      setEntry(entry, ATOMIC4, sink(rd), rs1, rs2, instruction as i32);
      break;
    case 0x0c:
      setEntry(entry, registerOperation(instruction >> 25, funct3), sink(rd), rs1, rs2, 0);
      break;
    case 0x0d:
      setEntry(entry, LI4, sink(rd), 0, 0, (instruction & 0xfffff000) as i32);
      break;
    case 0x0e:
      setEntry(entry, registerWordOperation(instruction >> 25, funct3), sink(rd), rs1, rs2, 0);
      break;
    case 0x10:
    case 0x11:
    case 0x12:
    case 0x13:
    case 0x14:
      setEntry(entry, FLOAT4, rd, rs1, rs2, instruction as i32);
      break;
    case 0x18:
      decodeBranch(entry, instruction, rs1, rs2, funct3, offset);
      break;
    case 0x19:
      setEntry(entry, funct3 === 0 ? JALR4 : ILLEGAL4, sink(rd), rs1, 0, immediate);
      break;
    case 0x1b:
      decodeJump(entry, instruction, rd, offset);
      break;
    case 0x1c:
      setEntry(entry, SYSTEM4, sink(rd), rs1, rs2, instruction as i32);
      break;
    default:
      setEntry(entry, ILLEGAL4, 0, 0, 0, instruction as i32);
  }
  // The trap value of an illegal instruction is its bits.
  if (load<u8>(entry) === ILLEGAL4) setEntry(entry, ILLEGAL4, 0, 0, 0, instruction as i32);
}

function storeImmediate(instruction: u32): i32 {
  return (((instruction as i32) >> 25) << 5) | (((instruction >> 7) & 31) as i32);
}

function loadOperation(funct3: u32): u32 {
  switch (funct3) {
    case 0:
      return LB4;
    case 1:
      return LH4;
    case 2:
      return LW4;
    case 3:
      return LD4;
    case 4:
      return LBU4;
    case 5:
      return LHU4;
    case 6:
      return LWU4;
    default:
      return ILLEGAL4;
  }
}

function storeOperation(funct3: u32): u32 {
  switch (funct3) {
    case 0:
      return SB4;
    case 1:
      return SH4;
    case 2:
      return SW4;
    case 3:
      return SD4;
    default:
      return ILLEGAL4;
  }
}

function decodeImmediate(entry: u32, instruction: u32, rd: u32, rs1: u32, funct3: u32, immediate: i32): void {
  const shift = (instruction >> 20) & 63;
  const high = instruction >> 26;
  switch (funct3) {
    case 0:
      if (rs1 === 0) setEntry(entry, LI4, rd, 0, 0, immediate);
      else setEntry(entry, ADDI4, rd, rs1, 0, immediate);
      break;
    case 1:
      setEntry(entry, high === 0 ? SLLI4 : ILLEGAL4, rd, rs1, 0, shift as i32);
      break;
    case 2:
      setEntry(entry, SLTI4, rd, rs1, 0, immediate);
      break;
    case 3:
      setEntry(entry, SLTIU4, rd, rs1, 0, immediate);
      break;
    case 4:
      setEntry(entry, XORI4, rd, rs1, 0, immediate);
      break;
    case 5:
      setEntry(entry, high === 0 ? SRLI4 : high === 0x10 ? SRAI4 : ILLEGAL4, rd, rs1, 0, shift as i32);
      break;
    case 6:
      setEntry(entry, ORI4, rd, rs1, 0, immediate);
      break;
    default:
      setEntry(entry, ANDI4, rd, rs1, 0, immediate);
  }
}

function decodeImmediateWord(
  entry: u32,
  instruction: u32,
  rd: u32,
  rs1: u32,
  funct3: u32,
  immediate: i32,
): void {
  const shift = ((instruction >> 20) & 31) as i32;
  const high = instruction >> 25;
  if (funct3 === 0) setEntry(entry, ADDIW4, rd, rs1, 0, immediate);
  else if (funct3 === 1 && high === 0) setEntry(entry, SLLIW4, rd, rs1, 0, shift);
  else if (funct3 === 5 && high === 0) setEntry(entry, SRLIW4, rd, rs1, 0, shift);
  else if (funct3 === 5 && high === 0x20) setEntry(entry, SRAIW4, rd, rs1, 0, shift);
  else setEntry(entry, ILLEGAL4, 0, 0, 0, 0);
}

function registerOperation(funct7: u32, funct3: u32): u32 {
  switch ((funct7 << 3) | funct3) {
    case 0x000:
      return ADD4;
    case 0x100:
      return SUB4;
    case 0x001:
      return SLL4;
    case 0x002:
      return SLT4;
    case 0x003:
      return SLTU4;
    case 0x004:
      return XOR4;
    case 0x005:
      return SRL4;
    case 0x105:
      return SRA4;
    case 0x006:
      return OR4;
    case 0x007:
      return AND4;
    case 0x008:
      return MUL4;
    case 0x009:
      return MULH4;
    case 0x00a:
      return MULHSU4;
    case 0x00b:
      return MULHU4;
    case 0x00c:
      return DIV4;
    case 0x00d:
      return DIVU4;
    case 0x00e:
      return REM4;
    case 0x00f:
      return REMU4;
    default:
      return ILLEGAL4;
  }
}

function registerWordOperation(funct7: u32, funct3: u32): u32 {
  switch ((funct7 << 3) | funct3) {
    case 0x000:
      return ADDW4;
    case 0x100:
      return SUBW4;
    case 0x001:
      return SLLW4;
    case 0x005:
      return SRLW4;
    case 0x105:
      return SRAW4;
    case 0x008:
      return MULW4;
    case 0x00c:
      return DIVW4;
    case 0x00d:
      return DIVUW4;
    case 0x00e:
      return REMW4;
    case 0x00f:
      return REMUW4;
    default:
      return ILLEGAL4;
  }
}

function decodeBranch(entry: u32, instruction: u32, rs1: u32, rs2: u32, funct3: u32, offset: u32): void {
  const distance = ((((instruction as i32) >> 31) << 12) |
    (((instruction << 4) & 0x800) as i32) |
    (((instruction >> 20) & 0x7e0) as i32) |
    (((instruction >> 7) & 0x1e) as i32)) as i32;
  const local = isLocal(offset, distance);
  const delta = local ? distance * 4 : distance;
  let operation = ILLEGAL4;
  switch (funct3) {
    case 0:
      operation = local ? BEQ_LOCAL4 : BEQ_FAR4;
      break;
    case 1:
      operation = local ? BNE_LOCAL4 : BNE_FAR4;
      break;
    case 4:
      operation = local ? BLT_LOCAL4 : BLT_FAR4;
      break;
    case 5:
      operation = local ? BGE_LOCAL4 : BGE_FAR4;
      break;
    case 6:
      operation = local ? BLTU_LOCAL4 : BLTU_FAR4;
      break;
    case 7:
      operation = local ? BGEU_LOCAL4 : BGEU_FAR4;
      break;
    default:
  }
  setEntry(entry, operation, 0, rs1, rs2, delta);
}

function decodeJump(entry: u32, instruction: u32, rd: u32, offset: u32): void {
  const distance = ((((instruction as i32) >> 31) << 20) |
    ((instruction & 0xff000) as i32) |
    (((instruction >> 9) & 0x800) as i32) |
    (((instruction >> 20) & 0x7fe) as i32)) as i32;
  if (!isLocal(offset, distance)) setEntry(entry, JAL_FAR4, sink(rd), 0, 0, distance);
  else setEntry(entry, rd === 0 ? J_LOCAL4 : JAL_LOCAL4, sink(rd), 0, 0, distance * 4);
}
