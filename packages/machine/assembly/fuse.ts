/**
 * Which two operations are fused into one, and back. The first entry of a pair only changes its operation: the second
 * keeps its own entry, which the pair reads and which a jump to it finds as ever.
 * Source: the most frequent pairs in a Debian kernel's start and in mixed integer work, counted.
 */
import {
  ADD2,
  ADD2_ADD2,
  ADD2_ADDIW2,
  ADD2_BGEU_LOCAL4,
  ADD2_BNE_LOCAL4,
  ADD2_LBU4,
  ADD2_LD2,
  ADD2_LD4,
  ADD2_LW2,
  ADD2_SD4,
  ADD2_SLTU4,
  ADD4,
  ADD4_LBU4,
  ADD4_LD4,
  ADDI2,
  ADDI2_ADDI2,
  ADDI2_ADDI4,
  ADDI2_BEQ_LOCAL4,
  ADDI2_BLT_LOCAL4,
  ADDI2_BLTU_LOCAL4,
  ADDI2_BNE_LOCAL4,
  ADDI2_BNEZ_LOCAL2,
  ADDI2_LBU4,
  ADDI2_SD2,
  ADDI4,
  ADDI4_ADD4,
  ADDI4_BNE_LOCAL4,
  ADDI4_SLTIU4,
  ADDI4_SLTU4,
  ADDIW2,
  ADDIW2_BNE_LOCAL4,
  ADDIW2_SLLI4,
  ADDW4,
  ADDW4_ADDW4,
  ADDW4_BNE_LOCAL4,
  ADDW4_LD4,
  ADDW4_SRLIW4,
  ADDW4_XOR4,
  ANDI2,
  ANDI2_BEQZ_LOCAL2,
  ANDI2_BNEZ_LOCAL2,
  AUIPC4,
  AUIPC4_ADDI4,
  BEQ_LOCAL4,
  BEQZ_LOCAL2,
  BGEU_LOCAL4,
  BLT_LOCAL4,
  BLTU_LOCAL4,
  BNE_LOCAL4,
  BNEZ_LOCAL2,
  FIRST_PAIR,
  LBU4,
  LBU4_ADDI2,
  LBU4_ADDI4,
  LBU4_BEQZ_LOCAL2,
  LBU4_BNE_LOCAL4,
  LD2,
  LD2_ADDI2,
  LD2_BEQZ_LOCAL2,
  LD2_LD2,
  LD4,
  LD4_ADD2,
  LD4_LD4,
  LI2,
  LI2_BGEU_LOCAL4,
  LI4,
  LI4_BNE_LOCAL4,
  LW2,
  LW2_ADDI2,
  LW2_BEQZ_LOCAL2,
  LW4,
  LW4_BGEU_LOCAL4,
  MUL4,
  MUL4_ADD2,
  MUL4_MUL4,
  MULW4,
  MULW4_ADDW4,
  MV2,
  MV2_MV2,
  SB4,
  SB4_SB4,
  SD2,
  SD2_ADDI2,
  SD2_SD2,
  SD4,
  SD4_ADD2,
  SD4_SD4,
  SLLI2,
  SLLI2_ADD2,
  SLLI2_ADD4,
  SLLI2_SRLI2,
  SLLI4,
  SLLI4_ADD2,
  SLLI4_SRLI2,
  SLLI4_SRLI4,
  SLLIW4,
  SLLIW4_ADDW4,
  SLLIW4_SLLIW4,
  SLTIU4,
  SLTU4,
  SLTU4_ADD2,
  SRLI2,
  SRLI4,
  SRLI4_ADD2,
  SRLIW4,
  SRLIW4_SLLIW4,
  SRLIW4_SRLIW4,
  SUB4,
  SUB4_SLLI2,
  XOR4,
  XOR4_ADDW4,
  XOR4_SRLIW4,
  XOR4_XOR4,
} from './operation';

/** Called when `entry` was decoded: makes pairs of it and the entries that come right before it in its page. */
export function fuseBackwards(entry: u32, offset: u32): void {
  const second = load<u8>(entry) as u32;
  if (offset >= 2) fuseAt(entry - 8, second, 2);
  if (offset >= 4) fuseAt(entry - 16, second, 4);
}

function fuseAt(entry: u32, second: u32, bytes: u32): void {
  const first = load<u8>(entry) as u32;
  if (first === 0 || first >= FIRST_PAIR || pairBytes(first) !== bytes) return;
  const pair = pairOf(first, second);
  if (pair !== 0) store<u8>(entry, pair);
}

/** Length of an instruction that begins a pair; 0 for the others. */
function pairBytes(first: u32): u32 {
  switch (first) {
    case ADD2:
    case ADDI2:
    case ADDIW2:
    case ANDI2:
    case LD2:
    case LI2:
    case LW2:
    case MV2:
    case SD2:
    case SLLI2:
      return 2;
    case ADD4:
    case ADDI4:
    case ADDW4:
    case AUIPC4:
    case LBU4:
    case LD4:
    case LI4:
    case LW4:
    case MUL4:
    case MULW4:
    case SB4:
    case SD4:
    case SLLI4:
    case SLLIW4:
    case SLTU4:
    case SRLI4:
    case SRLIW4:
    case SUB4:
    case XOR4:
      return 4;
    default:
      return 0;
  }
}

function pairOf(first: u32, second: u32): u32 {
  switch (first) {
    case ADDW4:
      if (second === ADDW4) return ADDW4_ADDW4;
      if (second === XOR4) return ADDW4_XOR4;
      if (second === SRLIW4) return ADDW4_SRLIW4;
      if (second === LD4) return ADDW4_LD4;
      if (second === BNE_LOCAL4) return ADDW4_BNE_LOCAL4;
      return 0;
    case SLLIW4:
      if (second === ADDW4) return SLLIW4_ADDW4;
      if (second === SLLIW4) return SLLIW4_SLLIW4;
      return 0;
    case SRLIW4:
      if (second === SLLIW4) return SRLIW4_SLLIW4;
      if (second === SRLIW4) return SRLIW4_SRLIW4;
      return 0;
    case SD4:
      if (second === SD4) return SD4_SD4;
      if (second === ADD2) return SD4_ADD2;
      return 0;
    case XOR4:
      if (second === SRLIW4) return XOR4_SRLIW4;
      if (second === ADDW4) return XOR4_ADDW4;
      if (second === XOR4) return XOR4_XOR4;
      return 0;
    case LD2:
      if (second === LD2) return LD2_LD2;
      if (second === ADDI2) return LD2_ADDI2;
      if (second === BEQZ_LOCAL2) return LD2_BEQZ_LOCAL2;
      return 0;
    case SD2:
      if (second === SD2) return SD2_SD2;
      if (second === ADDI2) return SD2_ADDI2;
      return 0;
    case LBU4:
      if (second === ADDI4) return LBU4_ADDI4;
      if (second === ADDI2) return LBU4_ADDI2;
      if (second === BNE_LOCAL4) return LBU4_BNE_LOCAL4;
      if (second === BEQZ_LOCAL2) return LBU4_BEQZ_LOCAL2;
      return 0;
    case LD4:
      if (second === LD4) return LD4_LD4;
      if (second === ADD2) return LD4_ADD2;
      return 0;
    case ADDI4:
      if (second === ADD4) return ADDI4_ADD4;
      if (second === SLTIU4) return ADDI4_SLTIU4;
      if (second === SLTU4) return ADDI4_SLTU4;
      if (second === BNE_LOCAL4) return ADDI4_BNE_LOCAL4;
      return 0;
    case ADD4:
      if (second === LBU4) return ADD4_LBU4;
      if (second === LD4) return ADD4_LD4;
      return 0;
    case AUIPC4:
      if (second === ADDI4) return AUIPC4_ADDI4;
      return 0;
    case ADDI2:
      if (second === BLTU_LOCAL4) return ADDI2_BLTU_LOCAL4;
      if (second === SD2) return ADDI2_SD2;
      if (second === ADDI2) return ADDI2_ADDI2;
      if (second === BNE_LOCAL4) return ADDI2_BNE_LOCAL4;
      if (second === LBU4) return ADDI2_LBU4;
      if (second === BEQ_LOCAL4) return ADDI2_BEQ_LOCAL4;
      if (second === ADDI4) return ADDI2_ADDI4;
      if (second === BLT_LOCAL4) return ADDI2_BLT_LOCAL4;
      if (second === BNEZ_LOCAL2) return ADDI2_BNEZ_LOCAL2;
      return 0;
    case SB4:
      if (second === SB4) return SB4_SB4;
      return 0;
    case MV2:
      if (second === MV2) return MV2_MV2;
      return 0;
    case LW2:
      if (second === ADDI2) return LW2_ADDI2;
      if (second === BEQZ_LOCAL2) return LW2_BEQZ_LOCAL2;
      return 0;
    case ANDI2:
      if (second === BNEZ_LOCAL2) return ANDI2_BNEZ_LOCAL2;
      if (second === BEQZ_LOCAL2) return ANDI2_BEQZ_LOCAL2;
      return 0;
    case LI4:
      if (second === BNE_LOCAL4) return LI4_BNE_LOCAL4;
      return 0;
    case LW4:
      if (second === BGEU_LOCAL4) return LW4_BGEU_LOCAL4;
      return 0;
    case MUL4:
      if (second === MUL4) return MUL4_MUL4;
      if (second === ADD2) return MUL4_ADD2;
      return 0;
    case ADD2:
      if (second === SLTU4) return ADD2_SLTU4;
      if (second === ADD2) return ADD2_ADD2;
      if (second === BNE_LOCAL4) return ADD2_BNE_LOCAL4;
      if (second === ADDIW2) return ADD2_ADDIW2;
      if (second === BGEU_LOCAL4) return ADD2_BGEU_LOCAL4;
      if (second === LW2) return ADD2_LW2;
      if (second === LD4) return ADD2_LD4;
      if (second === LD2) return ADD2_LD2;
      if (second === SD4) return ADD2_SD4;
      if (second === LBU4) return ADD2_LBU4;
      return 0;
    case SLLI4:
      if (second === SRLI4) return SLLI4_SRLI4;
      if (second === ADD2) return SLLI4_ADD2;
      if (second === SRLI2) return SLLI4_SRLI2;
      return 0;
    case SLTU4:
      if (second === ADD2) return SLTU4_ADD2;
      return 0;
    case SRLI4:
      if (second === ADD2) return SRLI4_ADD2;
      return 0;
    case SLLI2:
      if (second === ADD4) return SLLI2_ADD4;
      if (second === ADD2) return SLLI2_ADD2;
      if (second === SRLI2) return SLLI2_SRLI2;
      return 0;
    case SUB4:
      if (second === SLLI2) return SUB4_SLLI2;
      return 0;
    case ADDIW2:
      if (second === SLLI4) return ADDIW2_SLLI4;
      if (second === BNE_LOCAL4) return ADDIW2_BNE_LOCAL4;
      return 0;
    case MULW4:
      if (second === ADDW4) return MULW4_ADDW4;
      return 0;
    case LI2:
      if (second === BGEU_LOCAL4) return LI2_BGEU_LOCAL4;
      return 0;
    default:
      return 0;
  }
}

/** The operation of a pair's first instruction; any other operation as it is. */
export function firstOf(operation: u32): u32 {
  if (operation < FIRST_PAIR) return operation;
  switch (operation) {
    case ADDW4_ADDW4:
    case ADDW4_XOR4:
    case ADDW4_SRLIW4:
    case ADDW4_LD4:
    case ADDW4_BNE_LOCAL4:
      return ADDW4;
    case SLLIW4_ADDW4:
    case SLLIW4_SLLIW4:
      return SLLIW4;
    case SRLIW4_SLLIW4:
    case SRLIW4_SRLIW4:
      return SRLIW4;
    case SD4_SD4:
    case SD4_ADD2:
      return SD4;
    case XOR4_SRLIW4:
    case XOR4_ADDW4:
    case XOR4_XOR4:
      return XOR4;
    case LD2_LD2:
    case LD2_ADDI2:
    case LD2_BEQZ_LOCAL2:
      return LD2;
    case SD2_SD2:
    case SD2_ADDI2:
      return SD2;
    case LBU4_ADDI4:
    case LBU4_ADDI2:
    case LBU4_BNE_LOCAL4:
    case LBU4_BEQZ_LOCAL2:
      return LBU4;
    case LD4_LD4:
    case LD4_ADD2:
      return LD4;
    case ADDI4_ADD4:
    case ADDI4_SLTIU4:
    case ADDI4_SLTU4:
    case ADDI4_BNE_LOCAL4:
      return ADDI4;
    case ADD4_LBU4:
    case ADD4_LD4:
      return ADD4;
    case AUIPC4_ADDI4:
      return AUIPC4;
    case ADDI2_BLTU_LOCAL4:
    case ADDI2_SD2:
    case ADDI2_ADDI2:
    case ADDI2_BNE_LOCAL4:
    case ADDI2_LBU4:
    case ADDI2_BEQ_LOCAL4:
    case ADDI2_ADDI4:
    case ADDI2_BLT_LOCAL4:
    case ADDI2_BNEZ_LOCAL2:
      return ADDI2;
    case SB4_SB4:
      return SB4;
    case MV2_MV2:
      return MV2;
    case LW2_ADDI2:
    case LW2_BEQZ_LOCAL2:
      return LW2;
    case ANDI2_BNEZ_LOCAL2:
    case ANDI2_BEQZ_LOCAL2:
      return ANDI2;
    case LI4_BNE_LOCAL4:
      return LI4;
    case LW4_BGEU_LOCAL4:
      return LW4;
    case MUL4_MUL4:
    case MUL4_ADD2:
      return MUL4;
    case ADD2_SLTU4:
    case ADD2_ADD2:
    case ADD2_BNE_LOCAL4:
    case ADD2_ADDIW2:
    case ADD2_BGEU_LOCAL4:
    case ADD2_LW2:
    case ADD2_LD4:
    case ADD2_LD2:
    case ADD2_SD4:
    case ADD2_LBU4:
      return ADD2;
    case SLLI4_SRLI4:
    case SLLI4_ADD2:
    case SLLI4_SRLI2:
      return SLLI4;
    case SLTU4_ADD2:
      return SLTU4;
    case SRLI4_ADD2:
      return SRLI4;
    case SLLI2_ADD4:
    case SLLI2_ADD2:
    case SLLI2_SRLI2:
      return SLLI2;
    case SUB4_SLLI2:
      return SUB4;
    case ADDIW2_SLLI4:
    case ADDIW2_BNE_LOCAL4:
      return ADDIW2;
    case MULW4_ADDW4:
      return MULW4;
    case LI2_BGEU_LOCAL4:
      return LI2;
    default:
      return operation;
  }
}
