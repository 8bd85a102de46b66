/**
 * Traps and returns from them: which interrupts are pending, where a trap goes, what it leaves in the CSRs.
 * Source: RISC-V privileged manual, "Machine-Level CSRs" and "Supervisor CSRs"; trap values as QEMU 7.2 gives them.
 */
import { timerBits } from './clock';
import { retireNothing } from './counters';
import {
  CLINT_MSIP,
  FETCH_VIRTUAL,
  MCAUSE,
  MEDELEG,
  MEPC,
  MIDELEG,
  MIE,
  MIP,
  MSTATUS,
  MTVAL,
  MTVEC,
  NONE,
  PC,
  PLIC_OUTPUT,
  PRIVILEGE,
  SCAUSE,
  SEPC,
  STVAL,
  STVEC,
} from './layout';

export const STATUS_SIE: u64 = 1 << 1;
export const STATUS_MIE: u64 = 1 << 3;
export const STATUS_SPIE: u64 = 1 << 5;
export const STATUS_MPIE: u64 = 1 << 7;
export const STATUS_SPP: u64 = 1 << 8;
export const STATUS_MPP: u64 = 3 << 11;
export const STATUS_MPRV: u64 = 1 << 17;

export const INTERRUPT: u64 = 0x8000000000000000;
export const NO_INTERRUPT: u32 = 0xffffffff;

/** mip at a step: what software set, lines and timers. */
export function pendingBits(steps: u64): u64 {
  return load<u64>(MIP) | load<u64>(PLIC_OUTPUT) | timerBits(steps) | ((load<u64>(CLINT_MSIP) & 1) << 3);
}

/** The interrupt to be taken before the next instruction, or NO_INTERRUPT. */
export function pendingInterrupt(steps: u64): u32 {
  const pending = pendingBits(steps) & load<u64>(MIE);
  if (pending === 0) return NO_INTERRUPT;
  const status = load<u64>(MSTATUS);
  const privilege = load<u64>(PRIVILEGE);
  const delegated = load<u64>(MIDELEG);
  const isMachineOpen = privilege < 3 || (status & STATUS_MIE) !== 0;
  const isSupervisorOpen = privilege < 1 || (privilege === 1 && (status & STATUS_SIE) !== 0);
  let open = isMachineOpen ? pending & ~delegated : 0;
  if (open === 0 && isSupervisorOpen) open = pending & delegated;
  if (open === 0) return NO_INTERRUPT;
  // Priority: MEI, MSI, MTI, SEI, SSI, STI.
  if ((open & 0x800) !== 0) return 11;
  if ((open & 0x008) !== 0) return 3;
  if ((open & 0x080) !== 0) return 7;
  if ((open & 0x200) !== 0) return 9;
  if ((open & 0x002) !== 0) return 1;
  if ((open & 0x020) !== 0) return 5;
  return NO_INTERRUPT;
}

/** Enters the handler. `cause` has its top bit set for an interrupt. A trap is a step that retires nothing. */
export function enterTrap(cause: u64, value: u64): void {
  const privilege = load<u64>(PRIVILEGE);
  const isInterrupt = (cause & INTERRUPT) !== 0;
  const delegated = (load<u64>(isInterrupt ? MIDELEG : MEDELEG) >> (cause & 63)) & 1;
  let status = load<u64>(MSTATUS);
  let vector: u64;
  if (privilege <= 1 && delegated !== 0) {
    store<u64>(SEPC, load<u64>(PC));
    store<u64>(SCAUSE, cause);
    store<u64>(STVAL, value);
    const enabled = (status & STATUS_SIE) !== 0 ? STATUS_SPIE : 0;
    status = (status & ~(STATUS_SIE | STATUS_SPIE | STATUS_SPP)) | enabled | (privilege << 8);
    vector = load<u64>(STVEC);
    store<u64>(PRIVILEGE, 1);
  } else {
    store<u64>(MEPC, load<u64>(PC));
    store<u64>(MCAUSE, cause);
    store<u64>(MTVAL, value);
    const enabled = (status & STATUS_MIE) !== 0 ? STATUS_MPIE : 0;
    status = (status & ~(STATUS_MIE | STATUS_MPIE | STATUS_MPP)) | enabled | (privilege << 11);
    vector = load<u64>(MTVEC);
    store<u64>(PRIVILEGE, 3);
  }
  store<u64>(MSTATUS, status);
  store<u64>(PC, (vector & ~(3 as u64)) + (isInterrupt && (vector & 1) !== 0 ? (cause & 63) << 2 : 0));
  store<u64>(FETCH_VIRTUAL, NONE);
  retireNothing();
}

/** mret; the caller has checked the privilege. */
export function returnFromMachine(): void {
  let status = load<u64>(MSTATUS);
  const previous = (status >> 11) & 3;
  const enabled = (status & STATUS_MPIE) !== 0 ? STATUS_MIE : 0;
  status = (status & ~(STATUS_MIE | STATUS_MPP)) | enabled | STATUS_MPIE;
  if (previous !== 3) status &= ~STATUS_MPRV;
  store<u64>(MSTATUS, status);
  leave(previous, load<u64>(MEPC));
}

/** sret; the caller has checked the privilege. */
export function returnFromSupervisor(): void {
  let status = load<u64>(MSTATUS);
  const previous = (status >> 8) & 1;
  const enabled = (status & STATUS_SPIE) !== 0 ? STATUS_SIE : 0;
  status = (status & ~(STATUS_SIE | STATUS_SPP | STATUS_MPRV)) | enabled | STATUS_SPIE;
  store<u64>(MSTATUS, status);
  leave(previous, load<u64>(SEPC));
}

function leave(privilege: u64, target: u64): void {
  store<u64>(PRIVILEGE, privilege);
  store<u64>(PC, target);
  store<u64>(FETCH_VIRTUAL, NONE);
}
