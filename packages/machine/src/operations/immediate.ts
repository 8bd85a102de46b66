/**
 * Arithmetic with an immediate. In *W the lower 32 bits are computed and the result is sign-extended.
 * Source: RISC-V ISA manual, "Integer Register-Immediate Instructions" of RV32I and RV64I.
 */
import { auipc, immediate, immediateWord, lui, shift, shiftWord } from './encoding.ts';
import type { Effect, Instruction } from './instruction.ts';

const value = (expression: string): Effect => ({ kind: 'result', value: expression });

export const immediateInstructions: readonly Instruction[] = [
  // LUI; ADDI from x0 becomes this too.
  { name: 'LI', lengths: [4, 2], encoding: lui, effect: value('imm') },
  { name: 'AUIPC', lengths: [4], encoding: auipc, effect: value('pc + imm') },
  { name: 'ADDI', lengths: [4, 2], encoding: immediate(0), effect: value('rs1 + imm') },
  {
    name: 'SLTI',
    lengths: [4],
    encoding: immediate(2),
    effect: value('(rs1 as i64) < (imm as i64) ? 1 : 0'),
  },
  { name: 'SLTIU', lengths: [4], encoding: immediate(3), effect: value('rs1 < imm ? 1 : 0') },
  { name: 'XORI', lengths: [4], encoding: immediate(4), effect: value('rs1 ^ imm') },
  { name: 'ORI', lengths: [4], encoding: immediate(6), effect: value('rs1 | imm') },
  { name: 'ANDI', lengths: [4, 2], encoding: immediate(7), effect: value('rs1 & imm') },
  { name: 'SLLI', lengths: [4, 2], encoding: shift(1, 0x00), effect: value('rs1 << imm') },
  { name: 'SRLI', lengths: [4, 2], encoding: shift(5, 0x00), effect: value('rs1 >> imm') },
  {
    name: 'SRAI',
    lengths: [4, 2],
    encoding: shift(5, 0x10),
    effect: value('((rs1 as i64) >> (imm as i64)) as u64'),
  },
  {
    name: 'ADDIW',
    lengths: [4, 2],
    encoding: immediateWord(0),
    effect: value('word((rs1 as u32) + (imm as u32))'),
  },
  {
    name: 'SLLIW',
    lengths: [4],
    encoding: shiftWord(1, 0x00),
    effect: value('word((rs1 as u32) << (imm as u32))'),
  },
  {
    name: 'SRLIW',
    lengths: [4],
    encoding: shiftWord(5, 0x00),
    effect: value('word((rs1 as u32) >> (imm as u32))'),
  },
  {
    name: 'SRAIW',
    lengths: [4],
    encoding: shiftWord(5, 0x20),
    effect: value('((rs1 as i32) >> (imm as i32)) as i64 as u64'),
  },
];
