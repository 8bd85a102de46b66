/**
 * The SYSTEM opcode: CSR instructions, ecall, ebreak, wfi, xret, sfence.vma.
 * Source: RISC-V ISA manual, "Zicsr"; RISC-V privileged manual, "Supervisor Instructions".
 */
import { currentSteps } from '../clock';
import { csrValue, readCsr, takeContextChange, writeCsr } from '../csr';
import { FETCH_VIRTUAL, MSTATUS, NONE, PRIVILEGE, SBI_ENABLED, WAITING, XREG } from '../layout';
import { executeSbi } from '../sbi';
import { tlbFlushAddress, tlbFlushAll } from '../tlb';
import { enterTrap, NO_INTERRUPT, pendingInterrupt, returnFromMachine, returnFromSupervisor } from '../trap';

/** What became of a SYSTEM instruction. */
export const NEXT: u32 = 0;
export const ILLEGAL_SYSTEM: u32 = 1;
/** Done; go on at the next instruction after looking at interrupts and translation again. */
export const LOOK_AGAIN: u32 = 2;
/** pc is set already: a trap or a return from one. */
export const JUMPED: u32 = 3;

const STATUS_TVM: u64 = 1 << 20;
const STATUS_TW: u64 = 1 << 21;
const STATUS_TSR: u64 = 1 << 22;

/** `rd` is a register slot. PC holds the instruction's address. */
export function executeSystem(instruction: u32, rd: u32): u32 {
  const funct3 = (instruction >> 12) & 7;
  if (funct3 === 4) return ILLEGAL_SYSTEM;
  if (funct3 !== 0) return executeCsr(instruction, rd, funct3);
  const privilege = load<u64>(PRIVILEGE) as u32;
  const status = load<u64>(MSTATUS);
  switch (instruction) {
    case 0x00000073:
      return executeCall(privilege);
    case 0x00100073:
      enterTrap(3, 0);
      return JUMPED;
    case 0x10200073:
      if (privilege === 0 || (privilege === 1 && (status & STATUS_TSR) !== 0)) return ILLEGAL_SYSTEM;
      returnFromSupervisor();
      return JUMPED;
    case 0x30200073:
      if (privilege !== 3) return ILLEGAL_SYSTEM;
      returnFromMachine();
      return JUMPED;
    case 0x10500073:
      if (privilege === 0 || (privilege === 1 && (status & STATUS_TW) !== 0)) return ILLEGAL_SYSTEM;
      store<u64>(WAITING, 1);
      return LOOK_AGAIN;
    default:
  }
  if (instruction >> 25 === 9 && ((instruction >> 7) & 31) === 0) {
    if (privilege === 0 || (privilege === 1 && (status & STATUS_TVM) !== 0)) return ILLEGAL_SYSTEM;
    const rs1 = (instruction >> 15) & 31;
    if (rs1 === 0) tlbFlushAll();
    else tlbFlushAddress(load<u64>(XREG + (rs1 << 3)));
    store<u64>(FETCH_VIRTUAL, NONE);
    return LOOK_AGAIN;
  }
  return ILLEGAL_SYSTEM;
}

function executeCall(privilege: u32): u32 {
  if (privilege === 1 && load<u64>(SBI_ENABLED) !== 0) {
    executeSbi();
    return LOOK_AGAIN;
  }
  enterTrap((8 + privilege) as u64, 0);
  return JUMPED;
}

function executeCsr(instruction: u32, rd: u32, funct3: u32): u32 {
  const csr = instruction >> 20;
  const field = (instruction >> 15) & 31;
  const source = (funct3 & 4) !== 0 ? (field as u64) : load<u64>(XREG + (field << 3));
  if (!readCsr(csr)) return ILLEGAL_SYSTEM;
  const before = csrValue;
  const kind = funct3 & 3;
  let outcome = NEXT;
  if (kind === 1 || field !== 0) {
    const value = kind === 1 ? source : kind === 2 ? before | source : before & ~source;
    if (!writeCsr(csr, value, kind === 1 ? NONE : source)) return ILLEGAL_SYSTEM;
    if (takeContextChange() || pendingInterrupt(currentSteps() + 1) !== NO_INTERRUPT) outcome = LOOK_AGAIN;
  }
  store<u64>(XREG + (rd << 3), before);
  return outcome;
}
