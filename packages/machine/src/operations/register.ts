/**
 * Arithmetic of two registers. Shifts take the low bits of rs2; in *W the lower 32 bits are computed and the result
 * is sign-extended.
 * Source: RISC-V ISA manual, "Integer Register-Register Operations" of RV32I and RV64I.
 */
import { register, registerWord } from './encoding.ts';
import type { Effect, Instruction } from './instruction.ts';

const value = (expression: string): Effect => ({ kind: 'result', value: expression });

export const registerInstructions: readonly Instruction[] = [
  { name: 'ADD', lengths: [4, 2], encoding: register(0, 0x00), effect: value('rs1 + rs2') },
  { name: 'SUB', lengths: [4, 2], encoding: register(0, 0x20), effect: value('rs1 - rs2') },
  { name: 'SLL', lengths: [4], encoding: register(1, 0x00), effect: value('rs1 << (rs2 & 63)') },
  {
    name: 'SLT',
    lengths: [4],
    encoding: register(2, 0x00),
    effect: value('(rs1 as i64) < (rs2 as i64) ? 1 : 0'),
  },
  { name: 'SLTU', lengths: [4], encoding: register(3, 0x00), effect: value('rs1 < rs2 ? 1 : 0') },
  { name: 'XOR', lengths: [4, 2], encoding: register(4, 0x00), effect: value('rs1 ^ rs2') },
  { name: 'SRL', lengths: [4], encoding: register(5, 0x00), effect: value('rs1 >> (rs2 & 63)') },
  {
    name: 'SRA',
    lengths: [4],
    encoding: register(5, 0x20),
    effect: value('((rs1 as i64) >> ((rs2 & 63) as i64)) as u64'),
  },
  { name: 'OR', lengths: [4, 2], encoding: register(6, 0x00), effect: value('rs1 | rs2') },
  { name: 'AND', lengths: [4, 2], encoding: register(7, 0x00), effect: value('rs1 & rs2') },
  {
    name: 'ADDW',
    lengths: [4, 2],
    encoding: registerWord(0, 0x00),
    effect: value('word((rs1 as u32) + (rs2 as u32))'),
  },
  {
    name: 'SUBW',
    lengths: [4, 2],
    encoding: registerWord(0, 0x20),
    effect: value('word((rs1 as u32) - (rs2 as u32))'),
  },
  {
    name: 'SLLW',
    lengths: [4],
    encoding: registerWord(1, 0x00),
    effect: value('word((rs1 as u32) << ((rs2 as u32) & 31))'),
  },
  {
    name: 'SRLW',
    lengths: [4],
    encoding: registerWord(5, 0x00),
    effect: value('word((rs1 as u32) >> ((rs2 as u32) & 31))'),
  },
  {
    name: 'SRAW',
    lengths: [4],
    encoding: registerWord(5, 0x20),
    effect: value('((rs1 as i32) >> ((rs2 as i32) & 31)) as i64 as u64'),
  },
  // C.MV, which needs no second operand.
  { name: 'MV', lengths: [2], effect: value('rs1') },
];
