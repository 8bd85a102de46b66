/**
 * Jumps and branches. Those that stay in their page have operations of their own (Reach), decided when decoded.
 * Source: RISC-V ISA manual, "Control Transfer Instructions".
 */
import { branch, jal, jalr } from './encoding.ts';
import type { Effect, Instruction } from './instruction.ts';

const when = (condition: string): Effect => ({ kind: 'branch', condition });

export const controlInstructions: readonly Instruction[] = [
  {
    name: 'JAL',
    lengths: [4],
    encoding: jal,
    effect: { kind: 'jump', links: true },
    withoutResult: 'J',
  },
  { name: 'J', lengths: [4, 2], effect: { kind: 'jump', links: false } },
  {
    name: 'JALR',
    lengths: [4, 2],
    encoding: jalr,
    effect: { kind: 'indirect', links: true, target: '(rs1 + imm) & ~(1 as u64)' },
    withoutResult: 'JR',
  },
  {
    name: 'JR',
    lengths: [4],
    effect: { kind: 'indirect', links: false, target: '(rs1 + imm) & ~(1 as u64)' },
  },
  // C.JR has no immediate: a return from a function is worth not adding 0.
  { name: 'JR', lengths: [2], effect: { kind: 'indirect', links: false, target: 'rs1 & ~(1 as u64)' } },
  { name: 'BEQ', lengths: [4], encoding: branch(0), effect: when('rs1 === rs2') },
  { name: 'BNE', lengths: [4], encoding: branch(1), effect: when('rs1 !== rs2') },
  { name: 'BLT', lengths: [4], encoding: branch(4), effect: when('(rs1 as i64) < (rs2 as i64)') },
  { name: 'BGE', lengths: [4], encoding: branch(5), effect: when('(rs1 as i64) >= (rs2 as i64)') },
  { name: 'BLTU', lengths: [4], encoding: branch(6), effect: when('rs1 < rs2') },
  { name: 'BGEU', lengths: [4], encoding: branch(7), effect: when('rs1 >= rs2') },
  { name: 'BEQZ', lengths: [2], effect: when('rs1 === 0') },
  { name: 'BNEZ', lengths: [2], effect: when('rs1 !== 0') },
];
