/**
 * Turns one 16-bit instruction into the entry of the operation it abbreviates.
 * Source: RISC-V ISA manual, "C" Standard Extension for Compressed Instructions, "RVC Instruction Set Listings".
 */
import { isLocal, setEntry, sink } from '../decode';
import {
  ADD2,
  ADDI2,
  ADDIW2,
  ADDW2,
  AND2,
  ANDI2,
  BEQZ_FAR2,
  BEQZ_LOCAL2,
  BNEZ_FAR2,
  BNEZ_LOCAL2,
  EBREAK2,
  FLD2,
  FSD2,
  ILLEGAL2,
  J_FAR2,
  J_LOCAL2,
  JALR2,
  JR2,
  LD2,
  LI2,
  LW2,
  MV2,
  OR2,
  SD2,
  SLLI2,
  SRAI2,
  SRLI2,
  SUB2,
  SUBW2,
  SW2,
  XOR2,
} from '../generated/operation-numbers';

/** `offset` is the instruction's place in its page. */
export function decodeCompressed(entry: u32, instruction: u32, offset: u32): void {
  setEntry(entry, ILLEGAL2, 0, 0, 0, instruction as i32);
  const funct3 = instruction >> 13;
  switch (instruction & 3) {
    case 0:
      decodeQuadrant0(entry, instruction, funct3);
      break;
    case 1:
      decodeQuadrant1(entry, instruction, funct3, offset);
      break;
    default:
      decodeQuadrant2(entry, instruction, funct3);
  }
}

function decodeQuadrant0(entry: u32, c: u32, funct3: u32): void {
  const low = ((c >> 2) & 7) + 8;
  const base = ((c >> 7) & 7) + 8;
  const word = (((c >> 7) & 0x38) | ((c >> 4) & 4) | ((c << 1) & 0x40)) as i32;
  const double = (((c >> 7) & 0x38) | ((c << 1) & 0xc0)) as i32;
  switch (funct3) {
    case 0: {
      const wide = (((c >> 7) & 0x30) | ((c >> 1) & 0x3c0) | ((c >> 4) & 4) | ((c >> 2) & 8)) as i32;
      if (wide !== 0) setEntry(entry, ADDI2, low, 2, 0, wide);
      break;
    }
    case 1:
      setEntry(entry, FLD2, low, base, 0, double);
      break;
    case 2:
      setEntry(entry, LW2, low, base, 0, word);
      break;
    case 3:
      setEntry(entry, LD2, low, base, 0, double);
      break;
    case 5:
      setEntry(entry, FSD2, 0, base, low, double);
      break;
    case 6:
      setEntry(entry, SW2, 0, base, low, word);
      break;
    case 7:
      setEntry(entry, SD2, 0, base, low, double);
      break;
    default:
  }
}

function decodeQuadrant1(entry: u32, c: u32, funct3: u32, offset: u32): void {
  const rd = (c >> 7) & 31;
  const immediate = signed6(c);
  switch (funct3) {
    case 0:
      setEntry(entry, ADDI2, sink(rd), rd, 0, immediate);
      break;
    case 1:
      if (rd !== 0) setEntry(entry, ADDIW2, rd, rd, 0, immediate);
      break;
    case 2:
      setEntry(entry, LI2, sink(rd), 0, 0, immediate);
      break;
    case 3: {
      if (immediate === 0) break;
      if (rd !== 2) setEntry(entry, LI2, sink(rd), 0, 0, immediate << 12);
      else setEntry(entry, ADDI2, 2, 2, 0, stackImmediate(c));
      break;
    }
    case 4:
      decodeArithmetic(entry, c, immediate);
      break;
    case 5: {
      const distance = jumpDistance(c);
      if (isLocal(offset, distance)) setEntry(entry, J_LOCAL2, 32, 0, 0, distance * 4);
      else setEntry(entry, J_FAR2, 32, 0, 0, distance);
      break;
    }
    default: {
      const distance = branchDistance(c);
      const local = isLocal(offset, distance);
      const operation = funct3 === 6 ? (local ? BEQZ_LOCAL2 : BEQZ_FAR2) : local ? BNEZ_LOCAL2 : BNEZ_FAR2;
      setEntry(entry, operation, 0, ((c >> 7) & 7) + 8, 0, local ? distance * 4 : distance);
    }
  }
}

function decodeArithmetic(entry: u32, c: u32, immediate: i32): void {
  const rd = ((c >> 7) & 7) + 8;
  const rs2 = ((c >> 2) & 7) + 8;
  switch ((c >> 10) & 3) {
    case 0:
      setEntry(entry, SRLI2, rd, rd, 0, immediate & 63);
      break;
    case 1:
      setEntry(entry, SRAI2, rd, rd, 0, immediate & 63);
      break;
    case 2:
      setEntry(entry, ANDI2, rd, rd, 0, immediate);
      break;
    default:
      switch (((c >> 10) & 4) | ((c >> 5) & 3)) {
        case 0:
          setEntry(entry, SUB2, rd, rd, rs2, 0);
          break;
        case 1:
          setEntry(entry, XOR2, rd, rd, rs2, 0);
          break;
        case 2:
          setEntry(entry, OR2, rd, rd, rs2, 0);
          break;
        case 3:
          setEntry(entry, AND2, rd, rd, rs2, 0);
          break;
        case 4:
          setEntry(entry, SUBW2, rd, rd, rs2, 0);
          break;
        case 5:
          setEntry(entry, ADDW2, rd, rd, rs2, 0);
          break;
        default:
      }
  }
}

function decodeQuadrant2(entry: u32, c: u32, funct3: u32): void {
  const rd = (c >> 7) & 31;
  const rs2 = (c >> 2) & 31;
  const doubleLoad = (((c >> 7) & 0x20) | ((c >> 2) & 0x18) | ((c << 4) & 0x1c0)) as i32;
  const wordLoad = (((c >> 7) & 0x20) | ((c >> 2) & 0x1c) | ((c << 4) & 0xc0)) as i32;
  const doubleStore = (((c >> 7) & 0x38) | ((c >> 1) & 0x1c0)) as i32;
  switch (funct3) {
    case 0:
      setEntry(entry, SLLI2, sink(rd), rd, 0, signed6(c) & 63);
      break;
    case 1:
      setEntry(entry, FLD2, rd, 2, 0, doubleLoad);
      break;
    case 2:
      if (rd !== 0) setEntry(entry, LW2, rd, 2, 0, wordLoad);
      break;
    case 3:
      if (rd !== 0) setEntry(entry, LD2, rd, 2, 0, doubleLoad);
      break;
    case 4:
      decodeMove(entry, c, rd, rs2);
      break;
    case 5:
      setEntry(entry, FSD2, 0, 2, rs2, doubleStore);
      break;
    case 6:
      setEntry(entry, SW2, 0, 2, rs2, (((c >> 7) & 0x3c) | ((c >> 1) & 0xc0)) as i32);
      break;
    default:
      setEntry(entry, SD2, 0, 2, rs2, doubleStore);
  }
}

function decodeMove(entry: u32, c: u32, rd: u32, rs2: u32): void {
  if ((c & 0x1000) === 0) {
    if (rs2 !== 0) setEntry(entry, MV2, sink(rd), rs2, 0, 0);
    else if (rd !== 0) setEntry(entry, JR2, 32, rd, 0, 0);
  } else if (rs2 !== 0) setEntry(entry, ADD2, sink(rd), rd, rs2, 0);
  else if (rd !== 0) setEntry(entry, JALR2, 1, rd, 0, 0);
  else setEntry(entry, EBREAK2, 0, 0, 0, 0);
}

function signed6(c: u32): i32 {
  return ((((c << 19) as i32) >> 31) << 5) | (((c >> 2) & 31) as i32);
}

function stackImmediate(c: u32): i32 {
  return (
    ((((c << 19) as i32) >> 31) << 9) |
    (((c >> 2) & 0x10) as i32) |
    (((c << 1) & 0x40) as i32) |
    (((c << 4) & 0x180) as i32) |
    (((c << 3) & 0x20) as i32)
  );
}

function jumpDistance(c: u32): i32 {
  return (
    ((((c << 19) as i32) >> 31) << 11) |
    (((c >> 7) & 0x10) as i32) |
    (((c >> 1) & 0x300) as i32) |
    (((c << 2) & 0x400) as i32) |
    (((c >> 1) & 0x40) as i32) |
    (((c << 1) & 0x80) as i32) |
    (((c >> 2) & 0xe) as i32) |
    (((c << 3) & 0x20) as i32)
  );
}

function branchDistance(c: u32): i32 {
  return (
    ((((c << 19) as i32) >> 31) << 8) |
    (((c >> 7) & 0x18) as i32) |
    (((c << 1) & 0xc0) as i32) |
    (((c >> 2) & 6) as i32) |
    (((c << 3) & 0x20) as i32)
  );
}
