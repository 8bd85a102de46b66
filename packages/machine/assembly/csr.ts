/**
 * Control and status registers: what reads and writes of them mean.
 * Source: RISC-V privileged manual 1.12, "CSR Listing" and the field descriptions there; WARL choices as QEMU 7.2's.
 * Omitted: hypervisor, vector, trigger and performance counter CSRs (hpmcounters read 0; the rest is illegal).
 */
import { currentSteps, isSstcEnabled, refreshTimers, timeAt } from './clock';
import { COUNTER_CYCLE, COUNTER_RETIRED, counterValue, setCounter, setInhibited } from './counters';
import {
  FCSR,
  FETCH_VIRTUAL,
  MCAUSE,
  MCOUNTEREN,
  MCOUNTINHIBIT,
  MEDELEG,
  MENVCFG,
  MEPC,
  MIDELEG,
  MIE,
  MIP,
  MSCRATCH,
  MSTATUS,
  MTVAL,
  MTVEC,
  NONE,
  PMPADDR,
  PMPCFG,
  PRIVILEGE,
  SATP,
  SCAUSE,
  SCOUNTEREN,
  SENVCFG,
  SEPC,
  SSCRATCH,
  STIMECMP,
  STVAL,
  STVEC,
} from './layout';
import { writeAddress, writeConfig } from './pmp';
import { tlbFlushAll } from './tlb';
import { pendingBits } from './trap';

const SUPERVISOR_STATUS: u64 = 0x80000003000de762;
const MACHINE_STATUS: u64 = 0x00000000007e79aa;
const STATUS_LENGTHS: u64 = 0x0000000a00000000;
const SUPERVISOR_INTERRUPTS: u64 = 0x222;
const ALL_INTERRUPTS: u64 = 0xaaa;
const DELEGABLE_EXCEPTIONS: u64 = 0xf0bfff;
const STATUS_FS: u64 = 0x6000;
const MISA: u64 = 0x800000000014112d;
/** Implementation number: QEMU 7.2's, so that guests see one board. */
const IMPLEMENTATION: u64 = 0x70216;

/** What readCsr found. */
export let csrValue: u64 = 0;
/** Set by a write after which translation, privilege or timers must be looked at again. */
let isContextChanged: bool = false;

export function takeContextChange(): bool {
  const changed = isContextChanged;
  isContextChanged = false;
  return changed;
}

/** mstatus with the summary bit SD. */
function readStatus(): u64 {
  const status = load<u64>(MSTATUS) | STATUS_LENGTHS;
  return (status & STATUS_FS) === STATUS_FS ? status | 0x8000000000000000 : status;
}

/** Reads a CSR into csrValue; false if it is not there or not for this privilege. */
export function readCsr(csr: u32): bool {
  const privilege = load<u64>(PRIVILEGE) as u32;
  if (privilege < ((csr >> 8) & 3)) return false;
  if (csr >= 0xc00 && csr < 0xc20) return readCounter(csr, privilege);
  if ((csr >= 0xb03 && csr < 0xb20) || (csr >= 0x323 && csr < 0x340)) return found(0);
  if (csr >= 0x3b0 && csr < 0x3c0) return found(load<u64>(PMPADDR + ((csr - 0x3b0) << 3)));
  const field = plainField(csr);
  if (field !== 0) return found(load<u64>(field));
  switch (csr) {
    case 0x001:
      return hasFloat() && found((load<u32>(FCSR) & 31) as u64);
    case 0x002:
      return hasFloat() && found((load<u32>(FCSR) >> 5) as u64);
    case 0x003:
      return hasFloat() && found(load<u32>(FCSR) as u64);
    case 0x100:
      return found(readStatus() & SUPERVISOR_STATUS);
    case 0x104:
      return found(load<u64>(MIE) & load<u64>(MIDELEG) & SUPERVISOR_INTERRUPTS);
    case 0x144:
      return found(pendingBits(currentSteps()) & load<u64>(MIDELEG) & SUPERVISOR_INTERRUPTS);
    case 0x14d:
      return mayUseStimecmp(privilege) && found(load<u64>(STIMECMP));
    case 0x180:
      return !isVirtualMemoryTrapped(privilege) && found(load<u64>(SATP));
    case 0x300:
      return found(readStatus());
    case 0x301:
      return found(MISA);
    case 0x344:
      return found(pendingBits(currentSteps()));
    case 0x3a0:
      return found(load<u64>(PMPCFG));
    case 0x3a2:
      return found(load<u64>(PMPCFG, 8));
    case 0xb00:
      return found(counterValue(COUNTER_CYCLE));
    case 0xb02:
      return found(counterValue(COUNTER_RETIRED));
    case 0xf12:
    case 0xf13:
      return found(IMPLEMENTATION);
    case 0xf11:
    case 0xf14:
    case 0xf15:
      return found(0);
    default:
      return false;
  }
}

/** Address of a CSR that reads as it is stored, or 0. */
function plainField(csr: u32): u32 {
  switch (csr) {
    case 0x105:
      return STVEC;
    case 0x106:
      return SCOUNTEREN;
    case 0x10a:
      return SENVCFG;
    case 0x140:
      return SSCRATCH;
    case 0x141:
      return SEPC;
    case 0x142:
      return SCAUSE;
    case 0x143:
      return STVAL;
    case 0x302:
      return MEDELEG;
    case 0x303:
      return MIDELEG;
    case 0x304:
      return MIE;
    case 0x305:
      return MTVEC;
    case 0x306:
      return MCOUNTEREN;
    case 0x30a:
      return MENVCFG;
    case 0x320:
      return MCOUNTINHIBIT;
    case 0x340:
      return MSCRATCH;
    case 0x341:
      return MEPC;
    case 0x342:
      return MCAUSE;
    case 0x343:
      return MTVAL;
    default:
      return 0;
  }
}

function found(value: u64): bool {
  csrValue = value;
  return true;
}

function hasFloat(): bool {
  return (load<u64>(MSTATUS) & STATUS_FS) !== 0;
}

function isVirtualMemoryTrapped(privilege: u32): bool {
  return privilege === 1 && (load<u64>(MSTATUS) & (1 << 20)) !== 0;
}

function mayUseStimecmp(privilege: u32): bool {
  if (privilege === 3) return true;
  return isSstcEnabled() && (load<u64>(MCOUNTEREN) & 2) !== 0;
}

function readCounter(csr: u32, privilege: u32): bool {
  const bit = (1 as u64) << ((csr & 31) as u64);
  if (privilege < 3 && (load<u64>(MCOUNTEREN) & bit) === 0) return false;
  if (privilege < 1 && (load<u64>(SCOUNTEREN) & bit) === 0) return false;
  if (csr === 0xc00) return found(counterValue(COUNTER_CYCLE));
  if (csr === 0xc01) return found(timeAt(currentSteps()));
  if (csr === 0xc02) return found(counterValue(COUNTER_RETIRED));
  return found(0);
}

/** Writes a CSR that readCsr has found; `mask` says which bits the instruction writes. */
export function writeCsr(csr: u32, value: u64, mask: u64): bool {
  if (csr >> 10 === 3) return false;
  switch (csr) {
    case 0x001:
      return writeFloat((load<u32>(FCSR) & ~31) | ((value as u32) & 31));
    case 0x002:
      return writeFloat((load<u32>(FCSR) & 31) | (((value as u32) & 7) << 5));
    case 0x003:
      return writeFloat((value as u32) & 0xff);
    case 0x100:
      return writeStatus(SUPERVISOR_STATUS & MACHINE_STATUS, value);
    case 0x300:
      return writeStatus(MACHINE_STATUS, value);
    case 0x104:
      return masked(MIE, value, load<u64>(MIDELEG) & SUPERVISOR_INTERRUPTS);
    case 0x304:
      return masked(MIE, value, ALL_INTERRUPTS);
    case 0x144:
      return masked(MIP, value, mask & load<u64>(MIDELEG) & 2);
    case 0x344:
      return masked(MIP, value, mask & (isSstcEnabled() ? 0x202 : 0x222));
    case 0x105:
      return masked(STVEC, value, (value & 2) === 0 ? NONE : 0);
    case 0x305:
      return masked(MTVEC, value, (value & 2) === 0 ? NONE : 0);
    case 0x106:
      return stored(SCOUNTEREN, value & 0xffffffff);
    case 0x306:
      return stored(MCOUNTEREN, value & 0xffffffff);
    case 0x320:
      setInhibited(value);
      return true;
    case 0x10a:
      return stored(SENVCFG, value & 1);
    case 0x30a:
      return writeEnvironment(value & 0x8000000000000001);
    case 0x140:
      return stored(SSCRATCH, value);
    case 0x141:
      return stored(SEPC, value & ~(1 as u64));
    case 0x142:
      return stored(SCAUSE, value);
    case 0x143:
      return stored(STVAL, value);
    case 0x14d:
      return timing(STIMECMP, value);
    case 0x180:
      return writeSatp(value);
    case 0x302:
      return masked(MEDELEG, value, DELEGABLE_EXCEPTIONS);
    case 0x303:
      return masked(MIDELEG, value, SUPERVISOR_INTERRUPTS);
    case 0x340:
      return stored(MSCRATCH, value);
    case 0x341:
      return stored(MEPC, value & ~(1 as u64));
    case 0x342:
      return stored(MCAUSE, value);
    case 0x343:
      return stored(MTVAL, value);
    case 0xb00:
      setCounter(COUNTER_CYCLE, value);
      return true;
    case 0xb02:
      setCounter(COUNTER_RETIRED, value);
      return true;
    default:
      return writeProtection(csr, value);
  }
}

function writeProtection(csr: u32, value: u64): bool {
  if (csr >= 0x3b0 && csr < 0x3c0) writeAddress(csr - 0x3b0, value);
  else if (csr === 0x3a0) writeConfig(0, value);
  else if (csr === 0x3a2) writeConfig(8, value);
  // misa and the hpm registers: writes change nothing.
  else return true;
  isContextChanged = true;
  return true;
}

function stored(field: u32, value: u64): bool {
  store<u64>(field, value);
  return true;
}

function masked(field: u32, value: u64, mask: u64): bool {
  store<u64>(field, (load<u64>(field) & ~mask) | (value & mask));
  return true;
}

/** While Sstc is enabled, STIP is its timer's alone: what software had pending is gone. */
function writeEnvironment(value: u64): bool {
  if (value >> 63 !== 0) store<u64>(MIP, load<u64>(MIP) & ~(0x20 as u64));
  return timing(MENVCFG, value);
}

function timing(field: u32, value: u64): bool {
  store<u64>(field, value);
  refreshTimers();
  isContextChanged = true;
  return true;
}

function writeFloat(value: u32): bool {
  store<u32>(FCSR, value);
  store<u64>(MSTATUS, load<u64>(MSTATUS) | STATUS_FS);
  return true;
}

function writeStatus(mask: u64, value: u64): bool {
  const before = load<u64>(MSTATUS);
  let after = (before & ~mask) | (value & mask);
  // MPP is WARL: there is no privilege 2.
  if (((after >> 11) & 3) === 2) after = (after & ~(0x1800 as u64)) | (before & 0x1800);
  store<u64>(MSTATUS, after);
  // MPRV, SUM, MXR and MPP choose the tables of fast entries.
  if (((before ^ after) & 0xe1800) !== 0) isContextChanged = true;
  return true;
}

function writeSatp(value: u64): bool {
  if (isVirtualMemoryTrapped(load<u64>(PRIVILEGE) as u32)) return false;
  const mode = value >> 60;
  if ((mode !== 0 && mode !== 8) || value === load<u64>(SATP)) return true;
  store<u64>(SATP, value);
  tlbFlushAll();
  store<u64>(FETCH_VIRTUAL, NONE);
  isContextChanged = true;
  return true;
}
