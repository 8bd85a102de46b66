/**
 * Address generation (Zba), basic bit manipulation (Zbb) and single bits (Zbs). Bytes within a word are
 * assembly/execute/bit-manipulation.ts'; WebAssembly's rotations take the low bits of the amount by themselves.
 * Source: RISC-V ISA manual, "B" Extension for Bit Manipulation.
 * Omitted: Zbc, Zbkb and Zbkx; the device tree does not name them, and their words are illegal.
 */
import {
  register,
  registerWord,
  shift,
  shiftUnsignedWord,
  shiftWord,
  unary,
  unaryRegisterWord,
  unaryWord,
} from './encoding.ts';
import type { Effect, Instruction } from './instruction.ts';

const value = (expression: string): Effect => ({ kind: 'result', value: expression });

/** The lower 32 bits of rs1, zero-extended. */
const unsignedWord = '(rs1 as u32 as u64)';
/** The one bit that rs2 or the immediate names. */
const bitOfRegister = '((1 as u64) << (rs2 & 63))';
const bitOfImmediate = '((1 as u64) << imm)';

const addressGeneration: readonly Instruction[] = [
  {
    name: 'ADD_UW',
    lengths: [4],
    encoding: registerWord(0, 0x04),
    effect: value(`${unsignedWord} + rs2`),
  },
  { name: 'SH1ADD', lengths: [4], encoding: register(2, 0x10), effect: value('(rs1 << 1) + rs2') },
  { name: 'SH2ADD', lengths: [4], encoding: register(4, 0x10), effect: value('(rs1 << 2) + rs2') },
  { name: 'SH3ADD', lengths: [4], encoding: register(6, 0x10), effect: value('(rs1 << 3) + rs2') },
  {
    name: 'SH1ADD_UW',
    lengths: [4],
    encoding: registerWord(2, 0x10),
    effect: value(`(${unsignedWord} << 1) + rs2`),
  },
  {
    name: 'SH2ADD_UW',
    lengths: [4],
    encoding: registerWord(4, 0x10),
    effect: value(`(${unsignedWord} << 2) + rs2`),
  },
  {
    name: 'SH3ADD_UW',
    lengths: [4],
    encoding: registerWord(6, 0x10),
    effect: value(`(${unsignedWord} << 3) + rs2`),
  },
  {
    name: 'SLLI_UW',
    lengths: [4],
    encoding: shiftUnsignedWord(1, 0x02),
    effect: value(`${unsignedWord} << imm`),
  },
];

const basic: readonly Instruction[] = [
  { name: 'ANDN', lengths: [4], encoding: register(7, 0x20), effect: value('rs1 & ~rs2') },
  { name: 'ORN', lengths: [4], encoding: register(6, 0x20), effect: value('rs1 | ~rs2') },
  { name: 'XNOR', lengths: [4], encoding: register(4, 0x20), effect: value('~(rs1 ^ rs2)') },
  { name: 'CLZ', lengths: [4], encoding: unary(1, 0x600), effect: value('clz(rs1)') },
  { name: 'CLZW', lengths: [4], encoding: unaryWord(1, 0x600), effect: value('clz(rs1 as u32)') },
  { name: 'CTZ', lengths: [4], encoding: unary(1, 0x601), effect: value('ctz(rs1)') },
  { name: 'CTZW', lengths: [4], encoding: unaryWord(1, 0x601), effect: value('ctz(rs1 as u32)') },
  { name: 'CPOP', lengths: [4], encoding: unary(1, 0x602), effect: value('popcnt(rs1)') },
  { name: 'CPOPW', lengths: [4], encoding: unaryWord(1, 0x602), effect: value('popcnt(rs1 as u32)') },
  {
    name: 'MAX',
    lengths: [4],
    encoding: register(6, 0x05),
    effect: value('(rs1 as i64) > (rs2 as i64) ? rs1 : rs2'),
  },
  { name: 'MAXU', lengths: [4], encoding: register(7, 0x05), effect: value('rs1 > rs2 ? rs1 : rs2') },
  {
    name: 'MIN',
    lengths: [4],
    encoding: register(4, 0x05),
    effect: value('(rs1 as i64) < (rs2 as i64) ? rs1 : rs2'),
  },
  { name: 'MINU', lengths: [4], encoding: register(5, 0x05), effect: value('rs1 < rs2 ? rs1 : rs2') },
  { name: 'SEXT_B', lengths: [4], encoding: unary(1, 0x604), effect: value('rs1 as i8 as i64 as u64') },
  { name: 'SEXT_H', lengths: [4], encoding: unary(1, 0x605), effect: value('rs1 as i16 as i64 as u64') },
  { name: 'ZEXT_H', lengths: [4], encoding: unaryRegisterWord(4, 0x080), effect: value('rs1 & 0xffff') },
  { name: 'ROL', lengths: [4], encoding: register(1, 0x30), effect: value('rotl(rs1, rs2)') },
  {
    name: 'ROLW',
    lengths: [4],
    encoding: registerWord(1, 0x30),
    effect: value('word(rotl(rs1 as u32, rs2 as u32))'),
  },
  { name: 'ROR', lengths: [4], encoding: register(5, 0x30), effect: value('rotr(rs1, rs2)') },
  { name: 'RORI', lengths: [4], encoding: shift(5, 0x18), effect: value('rotr(rs1, imm)') },
  {
    name: 'RORIW',
    lengths: [4],
    encoding: shiftWord(5, 0x30),
    effect: value('word(rotr(rs1 as u32, imm as u32))'),
  },
  {
    name: 'RORW',
    lengths: [4],
    encoding: registerWord(5, 0x30),
    effect: value('word(rotr(rs1 as u32, rs2 as u32))'),
  },
  { name: 'ORC_B', lengths: [4], encoding: unary(5, 0x287), effect: value('combineBytes(rs1)') },
  { name: 'REV8', lengths: [4], encoding: unary(5, 0x6b8), effect: value('reverseBytes(rs1)') },
];

const singleBits: readonly Instruction[] = [
  { name: 'BCLR', lengths: [4], encoding: register(1, 0x24), effect: value(`rs1 & ~${bitOfRegister}`) },
  { name: 'BCLRI', lengths: [4], encoding: shift(1, 0x12), effect: value(`rs1 & ~${bitOfImmediate}`) },
  { name: 'BEXT', lengths: [4], encoding: register(5, 0x24), effect: value('(rs1 >> (rs2 & 63)) & 1') },
  { name: 'BEXTI', lengths: [4], encoding: shift(5, 0x12), effect: value('(rs1 >> imm) & 1') },
  { name: 'BINV', lengths: [4], encoding: register(1, 0x34), effect: value(`rs1 ^ ${bitOfRegister}`) },
  { name: 'BINVI', lengths: [4], encoding: shift(1, 0x1a), effect: value(`rs1 ^ ${bitOfImmediate}`) },
  { name: 'BSET', lengths: [4], encoding: register(1, 0x14), effect: value(`rs1 | ${bitOfRegister}`) },
  { name: 'BSETI', lengths: [4], encoding: shift(1, 0x0a), effect: value(`rs1 | ${bitOfImmediate}`) },
];

export const bitManipulationInstructions: readonly Instruction[] = [
  ...addressGeneration,
  ...basic,
  ...singleBits,
];
