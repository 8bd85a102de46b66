/**
 * Multiplication and division. What does not fit one expression is in assembly/execute/multiply.ts.
 * Source: RISC-V ISA manual, "M" Extension for Integer Multiplication and Division.
 */
import { register, registerWord } from './encoding.ts';
import type { Effect, Instruction } from './instruction.ts';

const value = (expression: string): Effect => ({ kind: 'result', value: expression });

export const multiplyInstructions: readonly Instruction[] = [
  { name: 'MUL', lengths: [4], encoding: register(0, 0x01), effect: value('rs1 * rs2') },
  { name: 'MULH', lengths: [4], encoding: register(1, 0x01), effect: value('multiplyHigh(rs1, rs2)') },
  {
    name: 'MULHSU',
    lengths: [4],
    encoding: register(2, 0x01),
    effect: value('multiplyHighSignedUnsigned(rs1, rs2)'),
  },
  {
    name: 'MULHU',
    lengths: [4],
    encoding: register(3, 0x01),
    effect: value('multiplyHighUnsigned(rs1, rs2)'),
  },
  { name: 'DIV', lengths: [4], encoding: register(4, 0x01), effect: value('divide(rs1, rs2)') },
  { name: 'DIVU', lengths: [4], encoding: register(5, 0x01), effect: value('divideUnsigned(rs1, rs2)') },
  { name: 'REM', lengths: [4], encoding: register(6, 0x01), effect: value('remainder(rs1, rs2)') },
  { name: 'REMU', lengths: [4], encoding: register(7, 0x01), effect: value('remainderUnsigned(rs1, rs2)') },
  {
    name: 'MULW',
    lengths: [4],
    encoding: registerWord(0, 0x01),
    effect: value('word((rs1 as u32) * (rs2 as u32))'),
  },
  { name: 'DIVW', lengths: [4], encoding: registerWord(4, 0x01), effect: value('divideWord(rs1, rs2)') },
  {
    name: 'DIVUW',
    lengths: [4],
    encoding: registerWord(5, 0x01),
    effect: value('divideWordUnsigned(rs1, rs2)'),
  },
  { name: 'REMW', lengths: [4], encoding: registerWord(6, 0x01), effect: value('remainderWord(rs1, rs2)') },
  {
    name: 'REMUW',
    lengths: [4],
    encoding: registerWord(7, 0x01),
    effect: value('remainderWordUnsigned(rs1, rs2)'),
  },
];
