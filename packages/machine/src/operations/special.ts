/**
 * What is decoded only when it is executed (system instructions, floating point), what does nothing here,
 * and entries that are no instructions.
 * Source: RISC-V ISA manual, "RV32/64G Instruction Set Listings"; privileged manual.
 */
import { float, miscMemory, system } from './encoding.ts';
import type { Instruction } from './instruction.ts';

/** Number 0, so that zeroed pages of entries need no set-up. */
export const undecoded: Instruction = {
  name: 'DECODE',
  lengths: [],
  effect: { kind: 'slow', call: 'decodeEntry(ip, pc)' },
};

export const specialInstructions: readonly Instruction[] = [
  { name: 'PAGE_END', lengths: [], effect: { kind: 'page-end' } },
  { name: 'ILLEGAL', lengths: [2, 4], effect: { kind: 'slow', call: 'illegal(ip)' } },
  // ECALL, EBREAK, returns from traps, WFI, SFENCE.VMA and the CSRs.
  { name: 'SYSTEM', lengths: [4], encoding: system, effect: { kind: 'slow', call: 'system(ip, pc)' } },
  { name: 'EBREAK', lengths: [2], effect: { kind: 'slow', call: 'breakpoint()' } },
  { name: 'FLOAT', lengths: [4], encoding: float, effect: { kind: 'slow', call: 'floatInstruction(ip)' } },
  // One hart sees its own accesses in order, and a store to code drops what was decoded from it.
  { name: 'FENCE', lengths: [4], encoding: miscMemory(0), effect: { kind: 'nothing' } },
  { name: 'FENCE_I', lengths: [4], encoding: miscMemory(1), effect: { kind: 'nothing' } },
  { name: 'NOP', lengths: [4, 2], effect: { kind: 'nothing' } },
];
