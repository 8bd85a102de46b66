/**
 * The interpreter: one switch over decoded entries. Fast paths go on inside it; everything else (misses, system
 * instructions, atomics, floating point, undecoded entries) leaves the switch and is done by `executeSlowly`.
 * pc is not kept up to date: it follows from the entry's place, `pcOf`. One function on purpose, however long: it
 * becomes one table jump, and calls inside would make the engine spill.
 * Source: design, "Interpreter".
 */

import { runningBase, setRunningBase } from './code-cache';
import { executeSlowly, rememberFetch, STATUS_EXIT, STATUS_SCRATCH } from './execute/base';
import {
  divide,
  divideUnsigned,
  divideWord,
  divideWordUnsigned,
  multiplyHigh,
  multiplyHighSignedUnsigned,
  multiplyHighUnsigned,
  remainder,
  remainderUnsigned,
  remainderWord,
  remainderWordUnsigned,
} from './execute/multiply';
import {
  FAST,
  FAST_LOAD,
  FAST_STORE,
  FAST_STRIDE,
  FETCH_VIRTUAL,
  FREG,
  MSTATUS,
  NONE,
  PAGE_MASK,
  PC,
  SCRATCH,
  XREG,
} from './layout';
import { mmuIndex } from './mmu';
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
  ADDIW4,
  ADDW2,
  ADDW4,
  ADDW4_ADDW4,
  ADDW4_BNE_LOCAL4,
  ADDW4_LD4,
  ADDW4_SRLIW4,
  ADDW4_XOR4,
  AND2,
  AND4,
  ANDI2,
  ANDI2_BEQZ_LOCAL2,
  ANDI2_BNEZ_LOCAL2,
  ANDI4,
  AUIPC4,
  AUIPC4_ADDI4,
  BEQ_FAR4,
  BEQ_LOCAL4,
  BEQZ_FAR2,
  BEQZ_LOCAL2,
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
  BNEZ_FAR2,
  BNEZ_LOCAL2,
  DIV4,
  DIVU4,
  DIVUW4,
  DIVW4,
  FENCE_I4,
  FENCE4,
  FLD2,
  FLD4,
  FLW4,
  FSD2,
  FSD4,
  FSW4,
  J_FAR2,
  J_FAR4,
  J_LOCAL2,
  J_LOCAL4,
  JAL_FAR4,
  JAL_LOCAL4,
  JALR2,
  JALR4,
  JR2,
  JR4,
  LB4,
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
  LH4,
  LHU4,
  LI2,
  LI2_BGEU_LOCAL4,
  LI4,
  LI4_BNE_LOCAL4,
  LW2,
  LW2_ADDI2,
  LW2_BEQZ_LOCAL2,
  LW4,
  LW4_BGEU_LOCAL4,
  LWU4,
  MUL4,
  MUL4_ADD2,
  MUL4_MUL4,
  MULH4,
  MULHSU4,
  MULHU4,
  MULW4,
  MULW4_ADDW4,
  MV2,
  MV2_MV2,
  NOP2,
  NOP4,
  OR2,
  OR4,
  ORI4,
  PAGE_END,
  REM4,
  REMU4,
  REMUW4,
  REMW4,
  SB4,
  SB4_SB4,
  SD2,
  SD2_ADDI2,
  SD2_SD2,
  SD4,
  SD4_ADD2,
  SD4_SD4,
  SH4,
  SLL4,
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
  SLLW4,
  SLT4,
  SLTI4,
  SLTIU4,
  SLTU4,
  SLTU4_ADD2,
  SRA4,
  SRAI2,
  SRAI4,
  SRAIW4,
  SRAW4,
  SRL4,
  SRLI2,
  SRLI4,
  SRLI4_ADD2,
  SRLIW4,
  SRLIW4_SLLIW4,
  SRLIW4_SRLIW4,
  SRLW4,
  SUB2,
  SUB4,
  SUB4_SLLI2,
  SUBW2,
  SUBW4,
  SW2,
  SW4,
  XOR2,
  XOR4,
  XOR4_ADDW4,
  XOR4_SRLIW4,
  XOR4_XOR4,
  XORI4,
} from './operation';
import { fastSlot } from './tlb';

function source1(ip: u32): u64 {
  return load<u64>(load<u8>(ip, 2) as u32, XREG);
}

function source2(ip: u32): u64 {
  return load<u64>(load<u8>(ip, 3) as u32, XREG);
}

function destination(ip: u32): u32 {
  return XREG + (load<u8>(ip, 1) as u32);
}

function floatDestination(ip: u32): u32 {
  return FREG + (load<u8>(ip, 1) as u32);
}

function floatSource2(ip: u32): u64 {
  return load<u64>(load<u8>(ip, 3) as u32, FREG);
}

function immediate(ip: u32): u64 {
  return load<i32>(ip, 4) as i64 as u64;
}

/** A 32-bit result, sign-extended. */
function word(value: u32): u64 {
  return value as i32 as i64 as u64;
}

/** The virtual address of the instruction at an entry: an entry is 8 bytes for each 2 of the page. */
function pcOf(ip: u32, pcBase: u64): u64 {
  return pcBase + ((ip >> 2) as u64);
}

/** What pcOf adds, for a page whose first entry is at `entryBase`. */
function pcBaseOf(entryBase: u32, virtualBase: u64): u64 {
  return virtualBase - ((entryBase >> 2) as u64);
}

/** FS = dirty: floating-point state may be written without any further ado. */
function isFloatDirty(): bool {
  return (load<u32>(MSTATUS) & 0x6000) === 0x6000;
}

/** Executes from PC, whose page is decoded at `firstBase`, at most `budget` steps. Returns how many are left. */
export function interpret(firstBase: u32, budget: u32): u32 {
  const tables = FAST + mmuIndex() * FAST_STRIDE;
  let left = budget;
  let ip = firstBase + (((load<u64>(PC) as u32) & 4095) << 2);
  let pcBase = pcBaseOf(firstBase, load<u64>(PC) & PAGE_MASK);
  setRunningBase(firstBase);
  while (left !== 0) {
    // Declared here, so that the engine need not carry them from one instruction to the next.
    let target: u64 = 0;
    let isJump = false;
    left--;
    switch (load<u8>(ip) as u32) {
      case LI4:
        store<u64>(destination(ip), immediate(ip));
        ip += 16;
        continue;
      case LI2:
        store<u64>(destination(ip), immediate(ip));
        ip += 8;
        continue;
      case AUIPC4:
        store<u64>(destination(ip), pcOf(ip, pcBase) + immediate(ip));
        ip += 16;
        continue;
      case ADDI4:
        store<u64>(destination(ip), source1(ip) + immediate(ip));
        ip += 16;
        continue;
      case ADDI2:
        store<u64>(destination(ip), source1(ip) + immediate(ip));
        ip += 8;
        continue;
      case SLTI4:
        store<u64>(destination(ip), (source1(ip) as i64) < (immediate(ip) as i64) ? 1 : 0);
        ip += 16;
        continue;
      case SLTIU4:
        store<u64>(destination(ip), source1(ip) < immediate(ip) ? 1 : 0);
        ip += 16;
        continue;
      case XORI4:
        store<u64>(destination(ip), source1(ip) ^ immediate(ip));
        ip += 16;
        continue;
      case ORI4:
        store<u64>(destination(ip), source1(ip) | immediate(ip));
        ip += 16;
        continue;
      case ANDI4:
        store<u64>(destination(ip), source1(ip) & immediate(ip));
        ip += 16;
        continue;
      case ANDI2:
        store<u64>(destination(ip), source1(ip) & immediate(ip));
        ip += 8;
        continue;
      case SLLI4:
        store<u64>(destination(ip), source1(ip) << immediate(ip));
        ip += 16;
        continue;
      case SLLI2:
        store<u64>(destination(ip), source1(ip) << immediate(ip));
        ip += 8;
        continue;
      case SRLI4:
        store<u64>(destination(ip), source1(ip) >> immediate(ip));
        ip += 16;
        continue;
      case SRLI2:
        store<u64>(destination(ip), source1(ip) >> immediate(ip));
        ip += 8;
        continue;
      case SRAI4:
        store<u64>(destination(ip), ((source1(ip) as i64) >> (immediate(ip) as i64)) as u64);
        ip += 16;
        continue;
      case SRAI2:
        store<u64>(destination(ip), ((source1(ip) as i64) >> (immediate(ip) as i64)) as u64);
        ip += 8;
        continue;
      case ADD4:
        store<u64>(destination(ip), source1(ip) + source2(ip));
        ip += 16;
        continue;
      case ADD2:
        store<u64>(destination(ip), source1(ip) + source2(ip));
        ip += 8;
        continue;
      case MV2:
        store<u64>(destination(ip), source1(ip));
        ip += 8;
        continue;
      case SUB4:
        store<u64>(destination(ip), source1(ip) - source2(ip));
        ip += 16;
        continue;
      case SUB2:
        store<u64>(destination(ip), source1(ip) - source2(ip));
        ip += 8;
        continue;
      case SLL4:
        store<u64>(destination(ip), source1(ip) << (source2(ip) & 63));
        ip += 16;
        continue;
      case SLT4:
        store<u64>(destination(ip), (source1(ip) as i64) < (source2(ip) as i64) ? 1 : 0);
        ip += 16;
        continue;
      case SLTU4:
        store<u64>(destination(ip), source1(ip) < source2(ip) ? 1 : 0);
        ip += 16;
        continue;
      case XOR4:
        store<u64>(destination(ip), source1(ip) ^ source2(ip));
        ip += 16;
        continue;
      case XOR2:
        store<u64>(destination(ip), source1(ip) ^ source2(ip));
        ip += 8;
        continue;
      case SRL4:
        store<u64>(destination(ip), source1(ip) >> (source2(ip) & 63));
        ip += 16;
        continue;
      case SRA4:
        store<u64>(destination(ip), ((source1(ip) as i64) >> ((source2(ip) & 63) as i64)) as u64);
        ip += 16;
        continue;
      case OR4:
        store<u64>(destination(ip), source1(ip) | source2(ip));
        ip += 16;
        continue;
      case OR2:
        store<u64>(destination(ip), source1(ip) | source2(ip));
        ip += 8;
        continue;
      case AND4:
        store<u64>(destination(ip), source1(ip) & source2(ip));
        ip += 16;
        continue;
      case AND2:
        store<u64>(destination(ip), source1(ip) & source2(ip));
        ip += 8;
        continue;
      case ADDIW4:
        store<u64>(destination(ip), word((source1(ip) as u32) + (immediate(ip) as u32)));
        ip += 16;
        continue;
      case ADDIW2:
        store<u64>(destination(ip), word((source1(ip) as u32) + (immediate(ip) as u32)));
        ip += 8;
        continue;
      case SLLIW4:
        store<u64>(destination(ip), word((source1(ip) as u32) << (immediate(ip) as u32)));
        ip += 16;
        continue;
      case SRLIW4:
        store<u64>(destination(ip), word((source1(ip) as u32) >> (immediate(ip) as u32)));
        ip += 16;
        continue;
      case SRAIW4:
        store<u64>(destination(ip), ((source1(ip) as i32) >> (immediate(ip) as i32)) as i64 as u64);
        ip += 16;
        continue;
      case ADDW4:
        store<u64>(destination(ip), word((source1(ip) as u32) + (source2(ip) as u32)));
        ip += 16;
        continue;
      case ADDW2:
        store<u64>(destination(ip), word((source1(ip) as u32) + (source2(ip) as u32)));
        ip += 8;
        continue;
      case SUBW4:
        store<u64>(destination(ip), word((source1(ip) as u32) - (source2(ip) as u32)));
        ip += 16;
        continue;
      case SUBW2:
        store<u64>(destination(ip), word((source1(ip) as u32) - (source2(ip) as u32)));
        ip += 8;
        continue;
      case SLLW4:
        store<u64>(destination(ip), word((source1(ip) as u32) << ((source2(ip) as u32) & 31)));
        ip += 16;
        continue;
      case SRLW4:
        store<u64>(destination(ip), word((source1(ip) as u32) >> ((source2(ip) as u32) & 31)));
        ip += 16;
        continue;
      case SRAW4:
        store<u64>(destination(ip), ((source1(ip) as i32) >> ((source2(ip) as i32) & 31)) as i64 as u64);
        ip += 16;
        continue;
      case MUL4:
        store<u64>(destination(ip), source1(ip) * source2(ip));
        ip += 16;
        continue;
      case MULH4:
        store<u64>(destination(ip), multiplyHigh(source1(ip), source2(ip)));
        ip += 16;
        continue;
      case MULHSU4:
        store<u64>(destination(ip), multiplyHighSignedUnsigned(source1(ip), source2(ip)));
        ip += 16;
        continue;
      case MULHU4:
        store<u64>(destination(ip), multiplyHighUnsigned(source1(ip), source2(ip)));
        ip += 16;
        continue;
      case DIV4:
        store<u64>(destination(ip), divide(source1(ip), source2(ip)));
        ip += 16;
        continue;
      case DIVU4:
        store<u64>(destination(ip), divideUnsigned(source1(ip), source2(ip)));
        ip += 16;
        continue;
      case REM4:
        store<u64>(destination(ip), remainder(source1(ip), source2(ip)));
        ip += 16;
        continue;
      case REMU4:
        store<u64>(destination(ip), remainderUnsigned(source1(ip), source2(ip)));
        ip += 16;
        continue;
      case MULW4:
        store<u64>(destination(ip), word((source1(ip) as u32) * (source2(ip) as u32)));
        ip += 16;
        continue;
      case DIVW4:
        store<u64>(destination(ip), divideWord(source1(ip), source2(ip)));
        ip += 16;
        continue;
      case DIVUW4:
        store<u64>(destination(ip), divideWordUnsigned(source1(ip), source2(ip)));
        ip += 16;
        continue;
      case REMW4:
        store<u64>(destination(ip), remainderWord(source1(ip), source2(ip)));
        ip += 16;
        continue;
      case REMUW4:
        store<u64>(destination(ip), remainderWordUnsigned(source1(ip), source2(ip)));
        ip += 16;
        continue;
      case FENCE4:
        ip += 16;
        continue;
      case FENCE_I4:
        ip += 16;
        continue;
      case NOP4:
        ip += 16;
        continue;
      case NOP2:
        ip += 8;
        continue;
      case LB4: {
        const virtual = source1(ip) + immediate(ip);
        const slot = tables + fastSlot(virtual);
        if (load<u64>(slot, FAST_LOAD) !== (virtual & PAGE_MASK)) break;
        store<u64>(
          destination(ip),
          load<i8>((virtual as u32) + load<u32>(slot, FAST_LOAD + 8)) as i64 as u64,
        );
        ip += 16;
        continue;
      }
      case LH4: {
        const virtual = source1(ip) + immediate(ip);
        const slot = tables + fastSlot(virtual);
        if (load<u64>(slot, FAST_LOAD) !== ((virtual + 1) & PAGE_MASK)) break;
        store<u64>(
          destination(ip),
          load<i16>((virtual as u32) + load<u32>(slot, FAST_LOAD + 8)) as i64 as u64,
        );
        ip += 16;
        continue;
      }
      case LW4: {
        const virtual = source1(ip) + immediate(ip);
        const slot = tables + fastSlot(virtual);
        if (load<u64>(slot, FAST_LOAD) !== ((virtual + 3) & PAGE_MASK)) break;
        store<u64>(
          destination(ip),
          load<i32>((virtual as u32) + load<u32>(slot, FAST_LOAD + 8)) as i64 as u64,
        );
        ip += 16;
        continue;
      }
      case LW2: {
        const virtual = source1(ip) + immediate(ip);
        const slot = tables + fastSlot(virtual);
        if (load<u64>(slot, FAST_LOAD) !== ((virtual + 3) & PAGE_MASK)) break;
        store<u64>(
          destination(ip),
          load<i32>((virtual as u32) + load<u32>(slot, FAST_LOAD + 8)) as i64 as u64,
        );
        ip += 8;
        continue;
      }
      case LD4: {
        const virtual = source1(ip) + immediate(ip);
        const slot = tables + fastSlot(virtual);
        if (load<u64>(slot, FAST_LOAD) !== ((virtual + 7) & PAGE_MASK)) break;
        store<u64>(destination(ip), load<u64>((virtual as u32) + load<u32>(slot, FAST_LOAD + 8)));
        ip += 16;
        continue;
      }
      case LD2: {
        const virtual = source1(ip) + immediate(ip);
        const slot = tables + fastSlot(virtual);
        if (load<u64>(slot, FAST_LOAD) !== ((virtual + 7) & PAGE_MASK)) break;
        store<u64>(destination(ip), load<u64>((virtual as u32) + load<u32>(slot, FAST_LOAD + 8)));
        ip += 8;
        continue;
      }
      case LBU4: {
        const virtual = source1(ip) + immediate(ip);
        const slot = tables + fastSlot(virtual);
        if (load<u64>(slot, FAST_LOAD) !== (virtual & PAGE_MASK)) break;
        store<u64>(destination(ip), load<u8>((virtual as u32) + load<u32>(slot, FAST_LOAD + 8)) as u64);
        ip += 16;
        continue;
      }
      case LHU4: {
        const virtual = source1(ip) + immediate(ip);
        const slot = tables + fastSlot(virtual);
        if (load<u64>(slot, FAST_LOAD) !== ((virtual + 1) & PAGE_MASK)) break;
        store<u64>(destination(ip), load<u16>((virtual as u32) + load<u32>(slot, FAST_LOAD + 8)) as u64);
        ip += 16;
        continue;
      }
      case LWU4: {
        const virtual = source1(ip) + immediate(ip);
        const slot = tables + fastSlot(virtual);
        if (load<u64>(slot, FAST_LOAD) !== ((virtual + 3) & PAGE_MASK)) break;
        store<u64>(destination(ip), load<u32>((virtual as u32) + load<u32>(slot, FAST_LOAD + 8)) as u64);
        ip += 16;
        continue;
      }
      case FLW4: {
        if (!isFloatDirty()) break;
        const virtual = source1(ip) + immediate(ip);
        const slot = tables + fastSlot(virtual);
        if (load<u64>(slot, FAST_LOAD) !== ((virtual + 3) & PAGE_MASK)) break;
        store<u64>(
          floatDestination(ip),
          (load<u32>((virtual as u32) + load<u32>(slot, FAST_LOAD + 8)) as u64) | 0xffffffff00000000,
        );
        ip += 16;
        continue;
      }
      case FLD4: {
        if (!isFloatDirty()) break;
        const virtual = source1(ip) + immediate(ip);
        const slot = tables + fastSlot(virtual);
        if (load<u64>(slot, FAST_LOAD) !== ((virtual + 7) & PAGE_MASK)) break;
        store<u64>(floatDestination(ip), load<u64>((virtual as u32) + load<u32>(slot, FAST_LOAD + 8)));
        ip += 16;
        continue;
      }
      case FLD2: {
        if (!isFloatDirty()) break;
        const virtual = source1(ip) + immediate(ip);
        const slot = tables + fastSlot(virtual);
        if (load<u64>(slot, FAST_LOAD) !== ((virtual + 7) & PAGE_MASK)) break;
        store<u64>(floatDestination(ip), load<u64>((virtual as u32) + load<u32>(slot, FAST_LOAD + 8)));
        ip += 8;
        continue;
      }
      case SB4: {
        const virtual = source1(ip) + immediate(ip);
        const slot = tables + fastSlot(virtual);
        if (load<u64>(slot, FAST_STORE) !== (virtual & PAGE_MASK)) break;
        store<u8>((virtual as u32) + load<u32>(slot, FAST_STORE + 8), source2(ip) as u8);
        ip += 16;
        continue;
      }
      case SH4: {
        const virtual = source1(ip) + immediate(ip);
        const slot = tables + fastSlot(virtual);
        if (load<u64>(slot, FAST_STORE) !== ((virtual + 1) & PAGE_MASK)) break;
        store<u16>((virtual as u32) + load<u32>(slot, FAST_STORE + 8), source2(ip) as u16);
        ip += 16;
        continue;
      }
      case SW4: {
        const virtual = source1(ip) + immediate(ip);
        const slot = tables + fastSlot(virtual);
        if (load<u64>(slot, FAST_STORE) !== ((virtual + 3) & PAGE_MASK)) break;
        store<u32>((virtual as u32) + load<u32>(slot, FAST_STORE + 8), source2(ip) as u32);
        ip += 16;
        continue;
      }
      case SW2: {
        const virtual = source1(ip) + immediate(ip);
        const slot = tables + fastSlot(virtual);
        if (load<u64>(slot, FAST_STORE) !== ((virtual + 3) & PAGE_MASK)) break;
        store<u32>((virtual as u32) + load<u32>(slot, FAST_STORE + 8), source2(ip) as u32);
        ip += 8;
        continue;
      }
      case SD4: {
        const virtual = source1(ip) + immediate(ip);
        const slot = tables + fastSlot(virtual);
        if (load<u64>(slot, FAST_STORE) !== ((virtual + 7) & PAGE_MASK)) break;
        store<u64>((virtual as u32) + load<u32>(slot, FAST_STORE + 8), source2(ip));
        ip += 16;
        continue;
      }
      case SD2: {
        const virtual = source1(ip) + immediate(ip);
        const slot = tables + fastSlot(virtual);
        if (load<u64>(slot, FAST_STORE) !== ((virtual + 7) & PAGE_MASK)) break;
        store<u64>((virtual as u32) + load<u32>(slot, FAST_STORE + 8), source2(ip));
        ip += 8;
        continue;
      }
      case FSW4: {
        if (!isFloatDirty()) break;
        const virtual = source1(ip) + immediate(ip);
        const slot = tables + fastSlot(virtual);
        if (load<u64>(slot, FAST_STORE) !== ((virtual + 3) & PAGE_MASK)) break;
        store<u32>((virtual as u32) + load<u32>(slot, FAST_STORE + 8), floatSource2(ip) as u32);
        ip += 16;
        continue;
      }
      case FSD4: {
        if (!isFloatDirty()) break;
        const virtual = source1(ip) + immediate(ip);
        const slot = tables + fastSlot(virtual);
        if (load<u64>(slot, FAST_STORE) !== ((virtual + 7) & PAGE_MASK)) break;
        store<u64>((virtual as u32) + load<u32>(slot, FAST_STORE + 8), floatSource2(ip));
        ip += 16;
        continue;
      }
      case FSD2: {
        if (!isFloatDirty()) break;
        const virtual = source1(ip) + immediate(ip);
        const slot = tables + fastSlot(virtual);
        if (load<u64>(slot, FAST_STORE) !== ((virtual + 7) & PAGE_MASK)) break;
        store<u64>((virtual as u32) + load<u32>(slot, FAST_STORE + 8), floatSource2(ip));
        ip += 8;
        continue;
      }
      case JAL_LOCAL4:
        store<u64>(destination(ip), pcOf(ip, pcBase) + 4);
        ip += load<i32>(ip, 4);
        continue;
      case J_LOCAL4:
        ip += load<i32>(ip, 4);
        continue;
      case J_LOCAL2:
        ip += load<i32>(ip, 4);
        continue;
      case JAL_FAR4:
        target = pcOf(ip, pcBase);
        store<u64>(destination(ip), target + 4);
        target += immediate(ip);
        isJump = true;
        break;
      case J_FAR4:
        target = pcOf(ip, pcBase) + immediate(ip);
        isJump = true;
        break;
      case J_FAR2:
        target = pcOf(ip, pcBase) + immediate(ip);
        isJump = true;
        break;
      case JALR4:
        target = (source1(ip) + immediate(ip)) & ~(1 as u64);
        store<u64>(destination(ip), pcOf(ip, pcBase) + 4);
        isJump = true;
        break;
      case JALR2:
        target = (source1(ip) + immediate(ip)) & ~(1 as u64);
        store<u64>(destination(ip), pcOf(ip, pcBase) + 2);
        isJump = true;
        break;
      case JR4:
        target = (source1(ip) + immediate(ip)) & ~(1 as u64);
        isJump = true;
        break;
      case JR2:
        target = source1(ip) & ~(1 as u64);
        isJump = true;
        break;
      case BEQ_LOCAL4:
        if (source1(ip) === source2(ip)) {
          ip += load<i32>(ip, 4);
          continue;
        }
        ip += 16;
        continue;
      case BNE_LOCAL4:
        if (source1(ip) !== source2(ip)) {
          ip += load<i32>(ip, 4);
          continue;
        }
        ip += 16;
        continue;
      case BLT_LOCAL4:
        if ((source1(ip) as i64) < (source2(ip) as i64)) {
          ip += load<i32>(ip, 4);
          continue;
        }
        ip += 16;
        continue;
      case BGE_LOCAL4:
        if ((source1(ip) as i64) >= (source2(ip) as i64)) {
          ip += load<i32>(ip, 4);
          continue;
        }
        ip += 16;
        continue;
      case BLTU_LOCAL4:
        if (source1(ip) < source2(ip)) {
          ip += load<i32>(ip, 4);
          continue;
        }
        ip += 16;
        continue;
      case BGEU_LOCAL4:
        if (source1(ip) >= source2(ip)) {
          ip += load<i32>(ip, 4);
          continue;
        }
        ip += 16;
        continue;
      case BEQZ_LOCAL2:
        if (source1(ip) === 0) {
          ip += load<i32>(ip, 4);
          continue;
        }
        ip += 8;
        continue;
      case BNEZ_LOCAL2:
        if (source1(ip) !== 0) {
          ip += load<i32>(ip, 4);
          continue;
        }
        ip += 8;
        continue;
      case BEQ_FAR4:
        if (source1(ip) === source2(ip)) {
          target = pcOf(ip, pcBase) + immediate(ip);
          isJump = true;
          break;
        }
        ip += 16;
        continue;
      case BNE_FAR4:
        if (source1(ip) !== source2(ip)) {
          target = pcOf(ip, pcBase) + immediate(ip);
          isJump = true;
          break;
        }
        ip += 16;
        continue;
      case BLT_FAR4:
        if ((source1(ip) as i64) < (source2(ip) as i64)) {
          target = pcOf(ip, pcBase) + immediate(ip);
          isJump = true;
          break;
        }
        ip += 16;
        continue;
      case BGE_FAR4:
        if ((source1(ip) as i64) >= (source2(ip) as i64)) {
          target = pcOf(ip, pcBase) + immediate(ip);
          isJump = true;
          break;
        }
        ip += 16;
        continue;
      case BLTU_FAR4:
        if (source1(ip) < source2(ip)) {
          target = pcOf(ip, pcBase) + immediate(ip);
          isJump = true;
          break;
        }
        ip += 16;
        continue;
      case BGEU_FAR4:
        if (source1(ip) >= source2(ip)) {
          target = pcOf(ip, pcBase) + immediate(ip);
          isJump = true;
          break;
        }
        ip += 16;
        continue;
      case BEQZ_FAR2:
        if (source1(ip) === 0) {
          target = pcOf(ip, pcBase) + immediate(ip);
          isJump = true;
          break;
        }
        ip += 8;
        continue;
      case BNEZ_FAR2:
        if (source1(ip) !== 0) {
          target = pcOf(ip, pcBase) + immediate(ip);
          isJump = true;
          break;
        }
        ip += 8;
        continue;
      case PAGE_END:
        left++;
        target = pcOf(ip, pcBase);
        isJump = true;
        break;
      case ADDW4_ADDW4:
        store<u64>(destination(ip), word((source1(ip) as u32) + (source2(ip) as u32)));
        ip += 16;
        if (left === 0) continue;
        left--;
        store<u64>(destination(ip), word((source1(ip) as u32) + (source2(ip) as u32)));
        ip += 16;
        continue;
      case SLLIW4_ADDW4:
        store<u64>(destination(ip), word((source1(ip) as u32) << (immediate(ip) as u32)));
        ip += 16;
        if (left === 0) continue;
        left--;
        store<u64>(destination(ip), word((source1(ip) as u32) + (source2(ip) as u32)));
        ip += 16;
        continue;
      case SRLIW4_SLLIW4:
        store<u64>(destination(ip), word((source1(ip) as u32) >> (immediate(ip) as u32)));
        ip += 16;
        if (left === 0) continue;
        left--;
        store<u64>(destination(ip), word((source1(ip) as u32) << (immediate(ip) as u32)));
        ip += 16;
        continue;
      case SD4_SD4: {
        const virtual = source1(ip) + immediate(ip);
        const slot = tables + fastSlot(virtual);
        if (load<u64>(slot, FAST_STORE) !== ((virtual + 7) & PAGE_MASK)) break;
        store<u64>((virtual as u32) + load<u32>(slot, FAST_STORE + 8), source2(ip));
        ip += 16;
        if (left === 0) continue;
        left--;
        const next = source1(ip) + immediate(ip);
        const nextSlot = tables + fastSlot(next);
        if (load<u64>(nextSlot, FAST_STORE) !== ((next + 7) & PAGE_MASK)) break;
        store<u64>((next as u32) + load<u32>(nextSlot, FAST_STORE + 8), source2(ip));
        ip += 16;
        continue;
      }
      case ADDW4_XOR4:
        store<u64>(destination(ip), word((source1(ip) as u32) + (source2(ip) as u32)));
        ip += 16;
        if (left === 0) continue;
        left--;
        store<u64>(destination(ip), source1(ip) ^ source2(ip));
        ip += 16;
        continue;
      case XOR4_SRLIW4:
        store<u64>(destination(ip), source1(ip) ^ source2(ip));
        ip += 16;
        if (left === 0) continue;
        left--;
        store<u64>(destination(ip), word((source1(ip) as u32) >> (immediate(ip) as u32)));
        ip += 16;
        continue;
      case LD2_LD2: {
        const virtual = source1(ip) + immediate(ip);
        const slot = tables + fastSlot(virtual);
        if (load<u64>(slot, FAST_LOAD) !== ((virtual + 7) & PAGE_MASK)) break;
        store<u64>(destination(ip), load<u64>((virtual as u32) + load<u32>(slot, FAST_LOAD + 8)));
        ip += 8;
        if (left === 0) continue;
        left--;
        const next = source1(ip) + immediate(ip);
        const nextSlot = tables + fastSlot(next);
        if (load<u64>(nextSlot, FAST_LOAD) !== ((next + 7) & PAGE_MASK)) break;
        store<u64>(destination(ip), load<u64>((next as u32) + load<u32>(nextSlot, FAST_LOAD + 8)));
        ip += 8;
        continue;
      }
      case SD2_SD2: {
        const virtual = source1(ip) + immediate(ip);
        const slot = tables + fastSlot(virtual);
        if (load<u64>(slot, FAST_STORE) !== ((virtual + 7) & PAGE_MASK)) break;
        store<u64>((virtual as u32) + load<u32>(slot, FAST_STORE + 8), source2(ip));
        ip += 8;
        if (left === 0) continue;
        left--;
        const next = source1(ip) + immediate(ip);
        const nextSlot = tables + fastSlot(next);
        if (load<u64>(nextSlot, FAST_STORE) !== ((next + 7) & PAGE_MASK)) break;
        store<u64>((next as u32) + load<u32>(nextSlot, FAST_STORE + 8), source2(ip));
        ip += 8;
        continue;
      }
      case ADDW4_SRLIW4:
        store<u64>(destination(ip), word((source1(ip) as u32) + (source2(ip) as u32)));
        ip += 16;
        if (left === 0) continue;
        left--;
        store<u64>(destination(ip), word((source1(ip) as u32) >> (immediate(ip) as u32)));
        ip += 16;
        continue;
      case LBU4_ADDI4: {
        const virtual = source1(ip) + immediate(ip);
        const slot = tables + fastSlot(virtual);
        if (load<u64>(slot, FAST_LOAD) !== (virtual & PAGE_MASK)) break;
        store<u64>(destination(ip), load<u8>((virtual as u32) + load<u32>(slot, FAST_LOAD + 8)) as u64);
        ip += 16;
        if (left === 0) continue;
        left--;
        store<u64>(destination(ip), source1(ip) + immediate(ip));
        ip += 16;
        continue;
      }
      case LBU4_ADDI2: {
        const virtual = source1(ip) + immediate(ip);
        const slot = tables + fastSlot(virtual);
        if (load<u64>(slot, FAST_LOAD) !== (virtual & PAGE_MASK)) break;
        store<u64>(destination(ip), load<u8>((virtual as u32) + load<u32>(slot, FAST_LOAD + 8)) as u64);
        ip += 16;
        if (left === 0) continue;
        left--;
        store<u64>(destination(ip), source1(ip) + immediate(ip));
        ip += 8;
        continue;
      }
      case XOR4_ADDW4:
        store<u64>(destination(ip), source1(ip) ^ source2(ip));
        ip += 16;
        if (left === 0) continue;
        left--;
        store<u64>(destination(ip), word((source1(ip) as u32) + (source2(ip) as u32)));
        ip += 16;
        continue;
      case LD4_LD4: {
        const virtual = source1(ip) + immediate(ip);
        const slot = tables + fastSlot(virtual);
        if (load<u64>(slot, FAST_LOAD) !== ((virtual + 7) & PAGE_MASK)) break;
        store<u64>(destination(ip), load<u64>((virtual as u32) + load<u32>(slot, FAST_LOAD + 8)));
        ip += 16;
        if (left === 0) continue;
        left--;
        const next = source1(ip) + immediate(ip);
        const nextSlot = tables + fastSlot(next);
        if (load<u64>(nextSlot, FAST_LOAD) !== ((next + 7) & PAGE_MASK)) break;
        store<u64>(destination(ip), load<u64>((next as u32) + load<u32>(nextSlot, FAST_LOAD + 8)));
        ip += 16;
        continue;
      }
      case XOR4_XOR4:
        store<u64>(destination(ip), source1(ip) ^ source2(ip));
        ip += 16;
        if (left === 0) continue;
        left--;
        store<u64>(destination(ip), source1(ip) ^ source2(ip));
        ip += 16;
        continue;
      case ADDI4_ADD4:
        store<u64>(destination(ip), source1(ip) + immediate(ip));
        ip += 16;
        if (left === 0) continue;
        left--;
        store<u64>(destination(ip), source1(ip) + source2(ip));
        ip += 16;
        continue;
      case ADD4_LBU4: {
        store<u64>(destination(ip), source1(ip) + source2(ip));
        ip += 16;
        if (left === 0) continue;
        left--;
        const virtual = source1(ip) + immediate(ip);
        const slot = tables + fastSlot(virtual);
        if (load<u64>(slot, FAST_LOAD) !== (virtual & PAGE_MASK)) break;
        store<u64>(destination(ip), load<u8>((virtual as u32) + load<u32>(slot, FAST_LOAD + 8)) as u64);
        ip += 16;
        continue;
      }
      case AUIPC4_ADDI4:
        store<u64>(destination(ip), pcOf(ip, pcBase) + immediate(ip));
        ip += 16;
        if (left === 0) continue;
        left--;
        store<u64>(destination(ip), source1(ip) + immediate(ip));
        ip += 16;
        continue;
      case ADDI2_BLTU_LOCAL4:
        store<u64>(destination(ip), source1(ip) + immediate(ip));
        ip += 8;
        if (left === 0) continue;
        left--;
        if (source1(ip) < source2(ip)) {
          ip += load<i32>(ip, 4);
          continue;
        }
        ip += 16;
        continue;
      case SB4_SB4: {
        const virtual = source1(ip) + immediate(ip);
        const slot = tables + fastSlot(virtual);
        if (load<u64>(slot, FAST_STORE) !== (virtual & PAGE_MASK)) break;
        store<u8>((virtual as u32) + load<u32>(slot, FAST_STORE + 8), source2(ip) as u8);
        ip += 16;
        if (left === 0) continue;
        left--;
        const next = source1(ip) + immediate(ip);
        const nextSlot = tables + fastSlot(next);
        if (load<u64>(nextSlot, FAST_STORE) !== (next & PAGE_MASK)) break;
        store<u8>((next as u32) + load<u32>(nextSlot, FAST_STORE + 8), source2(ip) as u8);
        ip += 16;
        continue;
      }
      case ADDW4_LD4: {
        store<u64>(destination(ip), word((source1(ip) as u32) + (source2(ip) as u32)));
        ip += 16;
        if (left === 0) continue;
        left--;
        const virtual = source1(ip) + immediate(ip);
        const slot = tables + fastSlot(virtual);
        if (load<u64>(slot, FAST_LOAD) !== ((virtual + 7) & PAGE_MASK)) break;
        store<u64>(destination(ip), load<u64>((virtual as u32) + load<u32>(slot, FAST_LOAD + 8)));
        ip += 16;
        continue;
      }
      case SLLIW4_SLLIW4:
        store<u64>(destination(ip), word((source1(ip) as u32) << (immediate(ip) as u32)));
        ip += 16;
        if (left === 0) continue;
        left--;
        store<u64>(destination(ip), word((source1(ip) as u32) << (immediate(ip) as u32)));
        ip += 16;
        continue;
      case SRLIW4_SRLIW4:
        store<u64>(destination(ip), word((source1(ip) as u32) >> (immediate(ip) as u32)));
        ip += 16;
        if (left === 0) continue;
        left--;
        store<u64>(destination(ip), word((source1(ip) as u32) >> (immediate(ip) as u32)));
        ip += 16;
        continue;
      case MV2_MV2:
        store<u64>(destination(ip), source1(ip));
        ip += 8;
        if (left === 0) continue;
        left--;
        store<u64>(destination(ip), source1(ip));
        ip += 8;
        continue;
      case SD2_ADDI2: {
        const virtual = source1(ip) + immediate(ip);
        const slot = tables + fastSlot(virtual);
        if (load<u64>(slot, FAST_STORE) !== ((virtual + 7) & PAGE_MASK)) break;
        store<u64>((virtual as u32) + load<u32>(slot, FAST_STORE + 8), source2(ip));
        ip += 8;
        if (left === 0) continue;
        left--;
        store<u64>(destination(ip), source1(ip) + immediate(ip));
        ip += 8;
        continue;
      }
      case ADDI2_SD2: {
        store<u64>(destination(ip), source1(ip) + immediate(ip));
        ip += 8;
        if (left === 0) continue;
        left--;
        const virtual = source1(ip) + immediate(ip);
        const slot = tables + fastSlot(virtual);
        if (load<u64>(slot, FAST_STORE) !== ((virtual + 7) & PAGE_MASK)) break;
        store<u64>((virtual as u32) + load<u32>(slot, FAST_STORE + 8), source2(ip));
        ip += 8;
        continue;
      }
      case LW2_ADDI2: {
        const virtual = source1(ip) + immediate(ip);
        const slot = tables + fastSlot(virtual);
        if (load<u64>(slot, FAST_LOAD) !== ((virtual + 3) & PAGE_MASK)) break;
        store<u64>(
          destination(ip),
          load<i32>((virtual as u32) + load<u32>(slot, FAST_LOAD + 8)) as i64 as u64,
        );
        ip += 8;
        if (left === 0) continue;
        left--;
        store<u64>(destination(ip), source1(ip) + immediate(ip));
        ip += 8;
        continue;
      }
      case ADDI2_ADDI2:
        store<u64>(destination(ip), source1(ip) + immediate(ip));
        ip += 8;
        if (left === 0) continue;
        left--;
        store<u64>(destination(ip), source1(ip) + immediate(ip));
        ip += 8;
        continue;
      case ANDI2_BNEZ_LOCAL2:
        store<u64>(destination(ip), source1(ip) & immediate(ip));
        ip += 8;
        if (left === 0) continue;
        left--;
        if (source1(ip) !== 0) {
          ip += load<i32>(ip, 4);
          continue;
        }
        ip += 8;
        continue;
      case ADDI2_BNE_LOCAL4:
        store<u64>(destination(ip), source1(ip) + immediate(ip));
        ip += 8;
        if (left === 0) continue;
        left--;
        if (source1(ip) !== source2(ip)) {
          ip += load<i32>(ip, 4);
          continue;
        }
        ip += 16;
        continue;
      case LBU4_BNE_LOCAL4: {
        const virtual = source1(ip) + immediate(ip);
        const slot = tables + fastSlot(virtual);
        if (load<u64>(slot, FAST_LOAD) !== (virtual & PAGE_MASK)) break;
        store<u64>(destination(ip), load<u8>((virtual as u32) + load<u32>(slot, FAST_LOAD + 8)) as u64);
        ip += 16;
        if (left === 0) continue;
        left--;
        if (source1(ip) !== source2(ip)) {
          ip += load<i32>(ip, 4);
          continue;
        }
        ip += 16;
        continue;
      }
      case LI4_BNE_LOCAL4:
        store<u64>(destination(ip), immediate(ip));
        ip += 16;
        if (left === 0) continue;
        left--;
        if (source1(ip) !== source2(ip)) {
          ip += load<i32>(ip, 4);
          continue;
        }
        ip += 16;
        continue;
      case ADDI2_LBU4: {
        store<u64>(destination(ip), source1(ip) + immediate(ip));
        ip += 8;
        if (left === 0) continue;
        left--;
        const virtual = source1(ip) + immediate(ip);
        const slot = tables + fastSlot(virtual);
        if (load<u64>(slot, FAST_LOAD) !== (virtual & PAGE_MASK)) break;
        store<u64>(destination(ip), load<u8>((virtual as u32) + load<u32>(slot, FAST_LOAD + 8)) as u64);
        ip += 16;
        continue;
      }
      case ADDI2_BEQ_LOCAL4:
        store<u64>(destination(ip), source1(ip) + immediate(ip));
        ip += 8;
        if (left === 0) continue;
        left--;
        if (source1(ip) === source2(ip)) {
          ip += load<i32>(ip, 4);
          continue;
        }
        ip += 16;
        continue;
      case LD2_ADDI2: {
        const virtual = source1(ip) + immediate(ip);
        const slot = tables + fastSlot(virtual);
        if (load<u64>(slot, FAST_LOAD) !== ((virtual + 7) & PAGE_MASK)) break;
        store<u64>(destination(ip), load<u64>((virtual as u32) + load<u32>(slot, FAST_LOAD + 8)));
        ip += 8;
        if (left === 0) continue;
        left--;
        store<u64>(destination(ip), source1(ip) + immediate(ip));
        ip += 8;
        continue;
      }
      case LW4_BGEU_LOCAL4: {
        const virtual = source1(ip) + immediate(ip);
        const slot = tables + fastSlot(virtual);
        if (load<u64>(slot, FAST_LOAD) !== ((virtual + 3) & PAGE_MASK)) break;
        store<u64>(
          destination(ip),
          load<i32>((virtual as u32) + load<u32>(slot, FAST_LOAD + 8)) as i64 as u64,
        );
        ip += 16;
        if (left === 0) continue;
        left--;
        if (source1(ip) >= source2(ip)) {
          ip += load<i32>(ip, 4);
          continue;
        }
        ip += 16;
        continue;
      }
      case LBU4_BEQZ_LOCAL2: {
        const virtual = source1(ip) + immediate(ip);
        const slot = tables + fastSlot(virtual);
        if (load<u64>(slot, FAST_LOAD) !== (virtual & PAGE_MASK)) break;
        store<u64>(destination(ip), load<u8>((virtual as u32) + load<u32>(slot, FAST_LOAD + 8)) as u64);
        ip += 16;
        if (left === 0) continue;
        left--;
        if (source1(ip) === 0) {
          ip += load<i32>(ip, 4);
          continue;
        }
        ip += 8;
        continue;
      }
      case ADDI4_SLTIU4:
        store<u64>(destination(ip), source1(ip) + immediate(ip));
        ip += 16;
        if (left === 0) continue;
        left--;
        store<u64>(destination(ip), source1(ip) < immediate(ip) ? 1 : 0);
        ip += 16;
        continue;
      case ADDI4_SLTU4:
        store<u64>(destination(ip), source1(ip) + immediate(ip));
        ip += 16;
        if (left === 0) continue;
        left--;
        store<u64>(destination(ip), source1(ip) < source2(ip) ? 1 : 0);
        ip += 16;
        continue;
      case MUL4_MUL4:
        store<u64>(destination(ip), source1(ip) * source2(ip));
        ip += 16;
        if (left === 0) continue;
        left--;
        store<u64>(destination(ip), source1(ip) * source2(ip));
        ip += 16;
        continue;
      case ADD2_SLTU4:
        store<u64>(destination(ip), source1(ip) + source2(ip));
        ip += 8;
        if (left === 0) continue;
        left--;
        store<u64>(destination(ip), source1(ip) < source2(ip) ? 1 : 0);
        ip += 16;
        continue;
      case ADD2_ADD2:
        store<u64>(destination(ip), source1(ip) + source2(ip));
        ip += 8;
        if (left === 0) continue;
        left--;
        store<u64>(destination(ip), source1(ip) + source2(ip));
        ip += 8;
        continue;
      case ADD2_BNE_LOCAL4:
        store<u64>(destination(ip), source1(ip) + source2(ip));
        ip += 8;
        if (left === 0) continue;
        left--;
        if (source1(ip) !== source2(ip)) {
          ip += load<i32>(ip, 4);
          continue;
        }
        ip += 16;
        continue;
      case SLLI4_SRLI4:
        store<u64>(destination(ip), source1(ip) << immediate(ip));
        ip += 16;
        if (left === 0) continue;
        left--;
        store<u64>(destination(ip), source1(ip) >> immediate(ip));
        ip += 16;
        continue;
      case SLTU4_ADD2:
        store<u64>(destination(ip), source1(ip) < source2(ip) ? 1 : 0);
        ip += 16;
        if (left === 0) continue;
        left--;
        store<u64>(destination(ip), source1(ip) + source2(ip));
        ip += 8;
        continue;
      case SRLI4_ADD2:
        store<u64>(destination(ip), source1(ip) >> immediate(ip));
        ip += 16;
        if (left === 0) continue;
        left--;
        store<u64>(destination(ip), source1(ip) + source2(ip));
        ip += 8;
        continue;
      case SLLI4_ADD2:
        store<u64>(destination(ip), source1(ip) << immediate(ip));
        ip += 16;
        if (left === 0) continue;
        left--;
        store<u64>(destination(ip), source1(ip) + source2(ip));
        ip += 8;
        continue;
      case LD4_ADD2: {
        const virtual = source1(ip) + immediate(ip);
        const slot = tables + fastSlot(virtual);
        if (load<u64>(slot, FAST_LOAD) !== ((virtual + 7) & PAGE_MASK)) break;
        store<u64>(destination(ip), load<u64>((virtual as u32) + load<u32>(slot, FAST_LOAD + 8)));
        ip += 16;
        if (left === 0) continue;
        left--;
        store<u64>(destination(ip), source1(ip) + source2(ip));
        ip += 8;
        continue;
      }
      case ADD4_LD4: {
        store<u64>(destination(ip), source1(ip) + source2(ip));
        ip += 16;
        if (left === 0) continue;
        left--;
        const virtual = source1(ip) + immediate(ip);
        const slot = tables + fastSlot(virtual);
        if (load<u64>(slot, FAST_LOAD) !== ((virtual + 7) & PAGE_MASK)) break;
        store<u64>(destination(ip), load<u64>((virtual as u32) + load<u32>(slot, FAST_LOAD + 8)));
        ip += 16;
        continue;
      }
      case SLLI2_ADD4:
        store<u64>(destination(ip), source1(ip) << immediate(ip));
        ip += 8;
        if (left === 0) continue;
        left--;
        store<u64>(destination(ip), source1(ip) + source2(ip));
        ip += 16;
        continue;
      case SUB4_SLLI2:
        store<u64>(destination(ip), source1(ip) - source2(ip));
        ip += 16;
        if (left === 0) continue;
        left--;
        store<u64>(destination(ip), source1(ip) << immediate(ip));
        ip += 8;
        continue;
      case SD4_ADD2: {
        const virtual = source1(ip) + immediate(ip);
        const slot = tables + fastSlot(virtual);
        if (load<u64>(slot, FAST_STORE) !== ((virtual + 7) & PAGE_MASK)) break;
        store<u64>((virtual as u32) + load<u32>(slot, FAST_STORE + 8), source2(ip));
        ip += 16;
        if (left === 0) continue;
        left--;
        store<u64>(destination(ip), source1(ip) + source2(ip));
        ip += 8;
        continue;
      }
      case ADD2_ADDIW2:
        store<u64>(destination(ip), source1(ip) + source2(ip));
        ip += 8;
        if (left === 0) continue;
        left--;
        store<u64>(destination(ip), word((source1(ip) as u32) + (immediate(ip) as u32)));
        ip += 8;
        continue;
      case SLLI4_SRLI2:
        store<u64>(destination(ip), source1(ip) << immediate(ip));
        ip += 16;
        if (left === 0) continue;
        left--;
        store<u64>(destination(ip), source1(ip) >> immediate(ip));
        ip += 8;
        continue;
      case ADDIW2_SLLI4:
        store<u64>(destination(ip), word((source1(ip) as u32) + (immediate(ip) as u32)));
        ip += 8;
        if (left === 0) continue;
        left--;
        store<u64>(destination(ip), source1(ip) << immediate(ip));
        ip += 16;
        continue;
      case MUL4_ADD2:
        store<u64>(destination(ip), source1(ip) * source2(ip));
        ip += 16;
        if (left === 0) continue;
        left--;
        store<u64>(destination(ip), source1(ip) + source2(ip));
        ip += 8;
        continue;
      case ADD2_BGEU_LOCAL4:
        store<u64>(destination(ip), source1(ip) + source2(ip));
        ip += 8;
        if (left === 0) continue;
        left--;
        if (source1(ip) >= source2(ip)) {
          ip += load<i32>(ip, 4);
          continue;
        }
        ip += 16;
        continue;
      case SLLI2_ADD2:
        store<u64>(destination(ip), source1(ip) << immediate(ip));
        ip += 8;
        if (left === 0) continue;
        left--;
        store<u64>(destination(ip), source1(ip) + source2(ip));
        ip += 8;
        continue;
      case ADD2_LW2: {
        store<u64>(destination(ip), source1(ip) + source2(ip));
        ip += 8;
        if (left === 0) continue;
        left--;
        const virtual = source1(ip) + immediate(ip);
        const slot = tables + fastSlot(virtual);
        if (load<u64>(slot, FAST_LOAD) !== ((virtual + 3) & PAGE_MASK)) break;
        store<u64>(
          destination(ip),
          load<i32>((virtual as u32) + load<u32>(slot, FAST_LOAD + 8)) as i64 as u64,
        );
        ip += 8;
        continue;
      }
      case ADDI2_ADDI4:
        store<u64>(destination(ip), source1(ip) + immediate(ip));
        ip += 8;
        if (left === 0) continue;
        left--;
        store<u64>(destination(ip), source1(ip) + immediate(ip));
        ip += 16;
        continue;
      case ADDW4_BNE_LOCAL4:
        store<u64>(destination(ip), word((source1(ip) as u32) + (source2(ip) as u32)));
        ip += 16;
        if (left === 0) continue;
        left--;
        if (source1(ip) !== source2(ip)) {
          ip += load<i32>(ip, 4);
          continue;
        }
        ip += 16;
        continue;
      case ADDI2_BLT_LOCAL4:
        store<u64>(destination(ip), source1(ip) + immediate(ip));
        ip += 8;
        if (left === 0) continue;
        left--;
        if ((source1(ip) as i64) < (source2(ip) as i64)) {
          ip += load<i32>(ip, 4);
          continue;
        }
        ip += 16;
        continue;
      case ADD2_LD4: {
        store<u64>(destination(ip), source1(ip) + source2(ip));
        ip += 8;
        if (left === 0) continue;
        left--;
        const virtual = source1(ip) + immediate(ip);
        const slot = tables + fastSlot(virtual);
        if (load<u64>(slot, FAST_LOAD) !== ((virtual + 7) & PAGE_MASK)) break;
        store<u64>(destination(ip), load<u64>((virtual as u32) + load<u32>(slot, FAST_LOAD + 8)));
        ip += 16;
        continue;
      }
      case ADD2_LD2: {
        store<u64>(destination(ip), source1(ip) + source2(ip));
        ip += 8;
        if (left === 0) continue;
        left--;
        const virtual = source1(ip) + immediate(ip);
        const slot = tables + fastSlot(virtual);
        if (load<u64>(slot, FAST_LOAD) !== ((virtual + 7) & PAGE_MASK)) break;
        store<u64>(destination(ip), load<u64>((virtual as u32) + load<u32>(slot, FAST_LOAD + 8)));
        ip += 8;
        continue;
      }
      case ADD2_SD4: {
        store<u64>(destination(ip), source1(ip) + source2(ip));
        ip += 8;
        if (left === 0) continue;
        left--;
        const virtual = source1(ip) + immediate(ip);
        const slot = tables + fastSlot(virtual);
        if (load<u64>(slot, FAST_STORE) !== ((virtual + 7) & PAGE_MASK)) break;
        store<u64>((virtual as u32) + load<u32>(slot, FAST_STORE + 8), source2(ip));
        ip += 16;
        continue;
      }
      case MULW4_ADDW4:
        store<u64>(destination(ip), word((source1(ip) as u32) * (source2(ip) as u32)));
        ip += 16;
        if (left === 0) continue;
        left--;
        store<u64>(destination(ip), word((source1(ip) as u32) + (source2(ip) as u32)));
        ip += 16;
        continue;
      case LI2_BGEU_LOCAL4:
        store<u64>(destination(ip), immediate(ip));
        ip += 8;
        if (left === 0) continue;
        left--;
        if (source1(ip) >= source2(ip)) {
          ip += load<i32>(ip, 4);
          continue;
        }
        ip += 16;
        continue;
      case ANDI2_BEQZ_LOCAL2:
        store<u64>(destination(ip), source1(ip) & immediate(ip));
        ip += 8;
        if (left === 0) continue;
        left--;
        if (source1(ip) === 0) {
          ip += load<i32>(ip, 4);
          continue;
        }
        ip += 8;
        continue;
      case SLLI2_SRLI2:
        store<u64>(destination(ip), source1(ip) << immediate(ip));
        ip += 8;
        if (left === 0) continue;
        left--;
        store<u64>(destination(ip), source1(ip) >> immediate(ip));
        ip += 8;
        continue;
      case LD2_BEQZ_LOCAL2: {
        const virtual = source1(ip) + immediate(ip);
        const slot = tables + fastSlot(virtual);
        if (load<u64>(slot, FAST_LOAD) !== ((virtual + 7) & PAGE_MASK)) break;
        store<u64>(destination(ip), load<u64>((virtual as u32) + load<u32>(slot, FAST_LOAD + 8)));
        ip += 8;
        if (left === 0) continue;
        left--;
        if (source1(ip) === 0) {
          ip += load<i32>(ip, 4);
          continue;
        }
        ip += 8;
        continue;
      }
      case LW2_BEQZ_LOCAL2: {
        const virtual = source1(ip) + immediate(ip);
        const slot = tables + fastSlot(virtual);
        if (load<u64>(slot, FAST_LOAD) !== ((virtual + 3) & PAGE_MASK)) break;
        store<u64>(
          destination(ip),
          load<i32>((virtual as u32) + load<u32>(slot, FAST_LOAD + 8)) as i64 as u64,
        );
        ip += 8;
        if (left === 0) continue;
        left--;
        if (source1(ip) === 0) {
          ip += load<i32>(ip, 4);
          continue;
        }
        ip += 8;
        continue;
      }
      case ADDI2_BNEZ_LOCAL2:
        store<u64>(destination(ip), source1(ip) + immediate(ip));
        ip += 8;
        if (left === 0) continue;
        left--;
        if (source1(ip) !== 0) {
          ip += load<i32>(ip, 4);
          continue;
        }
        ip += 8;
        continue;
      case ADDIW2_BNE_LOCAL4:
        store<u64>(destination(ip), word((source1(ip) as u32) + (immediate(ip) as u32)));
        ip += 8;
        if (left === 0) continue;
        left--;
        if (source1(ip) !== source2(ip)) {
          ip += load<i32>(ip, 4);
          continue;
        }
        ip += 16;
        continue;
      case ADDI4_BNE_LOCAL4:
        store<u64>(destination(ip), source1(ip) + immediate(ip));
        ip += 16;
        if (left === 0) continue;
        left--;
        if (source1(ip) !== source2(ip)) {
          ip += load<i32>(ip, 4);
          continue;
        }
        ip += 16;
        continue;
      case ADD2_LBU4: {
        store<u64>(destination(ip), source1(ip) + source2(ip));
        ip += 8;
        if (left === 0) continue;
        left--;
        const virtual = source1(ip) + immediate(ip);
        const slot = tables + fastSlot(virtual);
        if (load<u64>(slot, FAST_LOAD) !== (virtual & PAGE_MASK)) break;
        store<u64>(destination(ip), load<u8>((virtual as u32) + load<u32>(slot, FAST_LOAD + 8)) as u64);
        ip += 16;
        continue;
      }
      default:
        break;
    }
    if (isJump) {
      const slot = tables + fastSlot(target);
      if (load<u64>(slot) === (target & PAGE_MASK)) {
        const entryBase = load<u32>(slot, 8);
        setRunningBase(entryBase);
        pcBase = pcBaseOf(entryBase, target & PAGE_MASK);
        ip = entryBase + (((target as u32) & 4095) << 2);
        continue;
      }
      store<u64>(PC, target);
      store<u64>(FETCH_VIRTUAL, NONE);
      return left;
    }
    const status = executeSlowly(ip, pcOf(ip, pcBase), left);
    if (status >= 8) {
      ip += status;
      continue;
    }
    if (status === STATUS_EXIT) return left;
    left++;
    if (status === STATUS_SCRATCH) {
      pcBase = pcBaseOf(SCRATCH, pcOf(ip, pcBase));
      setRunningBase(SCRATCH);
      ip = SCRATCH;
    }
  }
  store<u64>(PC, pcOf(ip, pcBase));
  rememberFetch(pcOf(runningBase, pcBase));
  return 0;
}
