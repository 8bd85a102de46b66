/**
 * Address translation: Sv39 and Bare, with hardware updates of A and D, as QEMU's virt board does it. A present
 * architectural entry whose permissions do not suffice is walked again.
 * Source: RISC-V privileged manual, "Sv39: Page-Based 39-bit Virtual-Memory System".
 * Omitted: Svpbmt, Svnapot.
 */
import { ramAddress, storePrepare } from './dirty';
import { MSTATUS, PRIVILEGE, SATP } from './layout';
import { isOpen, isPermitted, RIGHT_EXECUTE, RIGHT_READ, RIGHT_WRITE } from './pmp';
import {
  INDEX_BARE,
  INDEX_MACHINE,
  INDEX_NONE,
  INDEX_SUPERVISOR,
  INDEX_SUPERVISOR_SUM,
  INDEX_USER,
  tlbInsert,
  tlbLookup,
} from './tlb';

export const ACCESS_FETCH: u32 = 0;
export const ACCESS_LOAD: u32 = 1;
export const ACCESS_STORE: u32 = 2;

const PTE_V: u64 = 1;
const PTE_R: u64 = 2;
const PTE_W: u64 = 4;
const PTE_X: u64 = 8;
const PTE_U: u64 = 16;
const PTE_A: u64 = 64;
const PTE_D: u64 = 128;

const STATUS_MPRV: u64 = 1 << 17;
const STATUS_SUM: u64 = 1 << 18;
const STATUS_MXR: u64 = 1 << 19;

/** Set when translate returns NO_ADDRESS: the exception's cause. */
export let faultCause: u32 = 0;
export const NO_ADDRESS: u64 = 0xffffffffffffffff;
/** What walk returns when a table may not be read or written; no leaf looks like this. */
const TABLE_DENIED: u64 = PTE_V;

export function setFault(cause: u32): u64 {
  faultCause = cause;
  return NO_ADDRESS;
}

/** The privilege that loads and stores are made with. */
function dataPrivilege(): u32 {
  const status = load<u64>(MSTATUS);
  const privilege = load<u64>(PRIVILEGE) as u32;
  return privilege === 3 && (status & STATUS_MPRV) !== 0 ? (((status >> 11) & 3) as u32) : privilege;
}

/** Which fast tables the present context uses. */
export function mmuIndex(): u32 {
  const status = load<u64>(MSTATUS);
  const privilege = load<u64>(PRIVILEGE) as u32;
  if (privilege === 3) return (status & STATUS_MPRV) !== 0 ? INDEX_NONE : INDEX_MACHINE;
  if (load<u64>(SATP) >> 60 === 0) return INDEX_BARE;
  if ((status & STATUS_MXR) !== 0) return INDEX_NONE;
  if (privilege === 0) return INDEX_USER;
  return (status & STATUS_SUM) !== 0 ? INDEX_SUPERVISOR_SUM : INDEX_SUPERVISOR;
}

/** Physical address, or NO_ADDRESS with faultCause set. Fills the architectural TLB. */
export function translate(virtual: u64, access: u32): u64 {
  const privilege = access === ACCESS_FETCH ? (load<u64>(PRIVILEGE) as u32) : dataPrivilege();
  if (privilege === 3 || load<u64>(SATP) >> 60 === 0) return virtual;
  const known = tlbLookup(virtual);
  if (known !== 0 && isAllowed(known, access, privilege) && isMarked(known, access))
    return compose(known, virtual);
  const pte = walk(virtual, access, privilege);
  if (pte === 0) return setFault(access === ACCESS_FETCH ? 12 : access === ACCESS_LOAD ? 13 : 15);
  if (pte === TABLE_DENIED) return setFault(accessFault(access));
  tlbInsert(virtual, pte);
  return compose(pte, virtual);
}

/** Whether PMP lets the present context make this access to all of `size` bytes. */
export function isAccessPermitted(physical: u64, size: u32, access: u32): bool {
  if (isOpen) return true;
  if (access === ACCESS_FETCH) return isPermitted(physical, size, load<u64>(PRIVILEGE) as u32, RIGHT_EXECUTE);
  return isPermitted(physical, size, dataPrivilege(), access === ACCESS_LOAD ? RIGHT_READ : RIGHT_WRITE);
}

/** Cause of an access fault. */
export function accessFault(access: u32): u32 {
  return access === ACCESS_FETCH ? 1 : access === ACCESS_LOAD ? 5 : 7;
}

/** As translate, but changes nothing and knows only what the architectural TLB holds. */
export function peekFetch(virtual: u64): u64 {
  const privilege = load<u64>(PRIVILEGE) as u32;
  if (privilege === 3 || load<u64>(SATP) >> 60 === 0) return virtual;
  const known = tlbLookup(virtual);
  return known !== 0 && isAllowed(known, ACCESS_FETCH, privilege) ? compose(known, virtual) : NO_ADDRESS;
}

function compose(pte: u64, virtual: u64): u64 {
  const span = ((1 as u64) << (12 + 9 * ((pte >> 54) & 3))) - 1;
  return ((pte << 2) & 0x00fffffffffff000 & ~span) | (virtual & span);
}

function isMarked(pte: u64, access: u32): bool {
  return access !== ACCESS_STORE || (pte & PTE_D) !== 0;
}

function isAllowed(pte: u64, access: u32, privilege: u32): bool {
  const status = load<u64>(MSTATUS);
  if ((pte & PTE_U) !== 0) {
    if (privilege !== 0 && ((status & STATUS_SUM) === 0 || access === ACCESS_FETCH)) return false;
  } else if (privilege !== 1) return false;
  if (access === ACCESS_FETCH) return (pte & PTE_X) !== 0;
  if (access === ACCESS_STORE) return (pte & PTE_W) !== 0;
  return (pte & PTE_R) !== 0 || ((status & STATUS_MXR) !== 0 && (pte & PTE_X) !== 0);
}

/** The leaf with its level in bits 55:54, 0 for a page fault, or TABLE_DENIED. Sets A and D in memory. Tables are read and written as S mode may. */
function walk(virtual: u64, access: u32, privilege: u32): u64 {
  if (((virtual as i64) << 25) >> 25 !== (virtual as i64)) return 0;
  let table = (load<u64>(SATP) & 0x00000fffffffffff) << 12;
  for (let level: i32 = 2; level >= 0; level--) {
    const shift = (12 + 9 * level) as u64;
    const place = table + (((virtual >> shift) & 511) << 3);
    if (!isPermitted(place, 8, 1, RIGHT_READ)) return TABLE_DENIED;
    const host = ramAddress(place, 8);
    if (host === 0) return 0;
    const pte = load<u64>(host);
    if ((pte & PTE_V) === 0 || pte >> 54 !== 0) return 0;
    if ((pte & (PTE_R | PTE_W | PTE_X)) === 0) {
      if ((pte & (PTE_D | PTE_A | PTE_U)) !== 0) return 0;
      table = (pte << 2) & 0x00fffffffffff000;
      continue;
    }
    if ((pte & (PTE_R | PTE_W)) === PTE_W || !isAllowed(pte, access, privilege)) return 0;
    if (((pte >> 10) & (((1 as u64) << (9 * level)) - 1)) !== 0) return 0;
    const updated = pte | PTE_A | (access === ACCESS_STORE ? PTE_D : 0);
    if (updated !== pte) {
      if (!isPermitted(place, 8, 1, RIGHT_WRITE)) return TABLE_DENIED;
      storePrepare(host, 8);
      store<u64>(host, updated);
    }
    return updated | ((level as u64) << 54);
  }
  return 0;
}
