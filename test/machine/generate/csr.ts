/** Random fragments that read and write CSRs, those that keep only legal values among them. */
import type { CsrName, Mnemonic } from '@skein/guests';
import type { Random } from '../random.ts';
import type { Fragment } from '../test-program.ts';
import { anyDestination, anySource } from './register-choice.ts';
import type { SupervisorInterrupt } from './system.ts';

/** CSRs that may be read without a difference that only time explains. */
const readable: readonly CsrName[] = [
  ...names('sstatus sie stvec scounteren sscratch sepc scause stval sip satp senvcfg fcsr frm fflags'),
  ...names('mstatus medeleg mideleg mie mtvec mcounteren mepc mcause mtval mip mhartid menvcfg pmpcfg0 misa'),
];
/**
 * CSRs that take any value. Without mtvec, mscratch, stvec, medeleg and satp, which keep the harness alive, and
 * without mstatus (see statusAccess) and those of which only some bits are tried (see triedBits).
 */
const writable = names('sscratch scause stval mcause mtval fcsr fflags frm misa');
/**
 * No standard extension gives these a meaning, and nobody here does; then mvendorid and mhartid, which can't be
 * written. QEMU 7.2 lets csrrs and csrrc write a zero there, so these come only with x0.
 */
const refusedCsrs = [0x5c0, 0x800, 0x9c0, 0x0c0, 0xdff, 0x7c0, 0xfc0, 0x6c0, 0xf11, 0xf14];

const accesses: readonly Mnemonic[] = ['csrrw', 'csrrs', 'csrrc'];
const immediateAccesses: readonly Mnemonic[] = ['csrrwi', 'csrrsi', 'csrrci'];

const oddBit = 1n;
const pageBasedTypesBit = 1n << 62n;
/** Sstc is switched on by supervisorTimer alone: QEMU 7.2 then keeps what software had pending. */
const timerCompareBit = 1n << 63n;
const word = 0xffff_ffffn;

/**
 * Bits of CSRs that are tried where QEMU 7.2 keeps more than the specification lets it: hypervisor interrupts
 * although that extension is off, bits of cache-block operations and Svpbmt in menvcfg and senvcfg without those, bit 0 of mepc and
 * sepc, the upper half of 32-bit counter enables. Of interrupts, the program's own one and those of M mode.
 */
function triedBits(name: TriedName, interrupt: SupervisorInterrupt): bigint {
  switch (name) {
    case 'mip':
    case 'sip':
    case 'sie':
      return BigInt(interrupt);
    case 'mie':
      return BigInt(interrupt | 0x888);
    case 'mideleg':
      return 0xaaan;
    case 'menvcfg':
      return ~(0xf0n | pageBasedTypesBit | timerCompareBit);
    case 'senvcfg':
      return ~0xf0n;
    case 'mepc':
    case 'sepc':
      return ~oddBit;
    case 'mcounteren':
    case 'scounteren':
      return word;
  }
}

const triedNames = [
  ...(['mip', 'sip', 'sie', 'mie', 'mideleg', 'menvcfg', 'senvcfg'] as const),
  ...(['mepc', 'sepc', 'mcounteren', 'scounteren'] as const),
] as const;
type TriedName = (typeof triedNames)[number];

export function csrAccess(random: Random, interrupt: SupervisorInterrupt): Fragment {
  const rd = anyDestination(random);
  switch (random.between(0, 8)) {
    case 7:
      return counterAccess(random);
    case 8:
      return anyNumber(random);
    case 0:
    case 1: {
      const name = random.pick(readable);
      return (a) => a.csrrs(rd, name, 'zero');
    }
    case 2: {
      const csr = random.pick(refusedCsrs);
      const mnemonic = random.pick(accesses);
      return (a) => a.emit(mnemonic, [rd, csr, 'zero']);
    }
    case 3: {
      const name = random.pick(writable);
      const mnemonic = random.pick(immediateAccesses);
      const value = random.between(0, 31);
      return (a) => a.emit(mnemonic, [rd, name, value]);
    }
    case 4:
      return bitsAccess(random, interrupt);
    default: {
      const name = random.pick(writable);
      // Setting no bits of fcsr is a write all the same; QEMU 7.2 does not call the state dirty then.
      const mnemonic = random.pick(name.startsWith('f') ? accesses.slice(0, 1) : accesses);
      const source = anySource(random);
      return (a) => a.emit(mnemonic, [rd, name, source]);
    }
  }
}

/** cycle, time, instret and hpmcounters with mcycle, minstret and mhpmcounters. */
const counters = [0xc00, 0xc01, 0xc02, 0xc03, 0xc0f, 0xb00, 0xb02, 0xb03, 0xb0f];

/** Only whether it may be read or written counts: what it says is another thing on every machine. */
function counterAccess(random: Random): Fragment {
  const counter = random.pick(counters);
  const mnemonic = random.oneIn(4) ? random.pick(accesses) : 'csrrs';
  // As with refusedCsrs: QEMU 7.2 takes a zero for no write.
  const source = mnemonic === 'csrrw' ? anySource(random) : 'zero';
  return (a) => {
    a.emit(mnemonic, ['t5', counter, source]);
    a.li('t5', 0);
  };
}

/**
 * CSRs whose reads differ: counters, and what QEMU 7.2 has of them. Its mhpmcounters end at 18 (the specification
 * wants all), its mhpmevents and mcountinhibit likewise.
 */
const numbersToLeave: readonly (readonly [first: number, last: number])[] = [
  [0xb00, 0xb1f],
  [0xc00, 0xc1f],
  [0x320, 0x33f],
];

/** Reads whatever stands at some number, which mostly is nothing. */
function anyNumber(random: Random): Fragment {
  const page = random.pick([
    0x000, 0x100, 0x300, 0x340, 0x380, 0x3a0, 0x3b0, 0x7a0, 0xf00, 0x500, 0x600, 0x200,
  ]);
  const number = random.oneIn(3) ? random.between(0, 4095) : page + random.between(0, 0x1f);
  const isLeft = numbersToLeave.some(([first, last]) => number >= first && number <= last);
  const rd = anyDestination(random);
  return (a) => a.emit('csrrs', [rd, isLeft ? 'mhartid' : number, 'zero']);
}

/** Writes, sets or clears tried bits, and keeps what was there before. */
function bitsAccess(random: Random, interrupt: SupervisorInterrupt): Fragment {
  const name = random.pick(triedNames);
  const value = random.interesting64() & triedBits(name, interrupt);
  const mnemonic = random.pick(accesses);
  const rd = anyDestination(random);
  return (a) => {
    a.li('t6', value);
    a.emit(mnemonic, [rd, name, 't6']);
  };
}

/** Every tried bit of a CSR, read back at once; for programs in M mode that never leave it. */
export function legalValues(random: Random, interrupt: SupervisorInterrupt): Fragment {
  const name = random.pick([...triedNames, 'satp', 'stvec', 'medeleg'] as const);
  const isFree = name === 'satp' || name === 'stvec' || name === 'medeleg';
  const bits = random.interesting64() & (isFree ? -1n : triedBits(name, interrupt));
  // QEMU has Sv48 and Sv57 too, modes 9 and 10; this machine keeps satp as it was then.
  const value = name === 'satp' && [9n, 10n].includes(bits >> 60n) ? bits & ~(3n << 60n) : bits;
  return (a) => {
    a.li('t6', value);
    a.csrrw('zero', name, 't6');
    a.csrrs('t5', name, 'zero');
  };
}

/**
 * Values of what keeps the harness alive, read back and put back at once: meanwhile nothing may trap, so the
 * interrupts are closed. For programs in M mode.
 */
export function borrowedValues(random: Random): Fragment {
  const name = random.pick(['mtvec', 'mscratch', 'stvec', 'mstatus', 'sstatus'] as const);
  const isStatus = name.endsWith('status');
  const value = isStatus ? anyStatus(random) : random.interesting64();
  return (a) => {
    a.csrrw('t3', 'mie', 'zero');
    a.li('t6', value);
    a.csrrw('t5', name, 't6');
    a.csrrs('t4', name, 'zero');
    a.csrrw('zero', name, 't5');
    a.csrrw('zero', 'mie', 't3');
    if (isStatus) a.csrrs('a0', name, 'zero');
  };
}

/**
 * Bits of mstatus where QEMU 7.2 keeps what the specification lets nobody write here: MPV and GVA of the absent
 * hypervisor extension, VS of the absent vector extension, and UXL, which it takes for writable.
 */
const unsupportedStatus = (3n << 38n) | (3n << 9n) | (3n << 32n);
const previousPrivilege = 3n << 11n;

/** Any value but for those; MPP is a mode that exists, for QEMU 7.2 keeps the one that does not. */
function anyStatus(random: Random): bigint {
  const privilege = BigInt(random.pick([0, 1, 3])) << 11n;
  return (random.bits64() & ~(unsupportedStatus | previousPrivilege)) | privilege;
}

/** The supervisor's timer: due and not due, as mip shows it. For programs in M mode. */
export function supervisorTimer(random: Random): Fragment {
  const [first, second] = random.pick([
    [0, -1],
    [-1, 0],
  ] as const);
  return (a) => {
    a.csrrw('t3', 'mie', 'zero');
    a.li('t6', 0x20);
    a.csrrc('zero', 'mip', 't6');
    a.li('t6', timerCompareBit);
    a.csrrs('zero', 'menvcfg', 't6');
    for (const value of [first, second, -1]) {
      a.li('t6', value);
      a.csrrw('zero', 'stimecmp', 't6');
      a.csrrs('t4', 'mip', 'zero');
      a.slli('t5', 't5', 1);
      a.xor('t5', 't5', 't4');
    }
    a.li('t6', timerCompareBit);
    a.csrrc('zero', 'menvcfg', 't6');
    a.csrrw('zero', 'mie', 't3');
  };
}

/**
 * Bits of mstatus that may change freely: not MPRV, which QEMU 7.2 keeps when M mode is left, and not MPP, which
 * changeMode sets.
 */
const statusBits = 0x7c_612an;

/** Sets or clears some status bits; from S mode what sstatus shows of them. */
export function statusAccess(random: Random): Fragment {
  const bits = random.bits64() & statusBits;
  const name = random.pick(['mstatus', 'sstatus'] as const);
  const mnemonic = random.pick(['csrrs', 'csrrc'] as const);
  const rd = anyDestination(random);
  return (a) => {
    a.li('t6', bits);
    a.emit(mnemonic, [rd, name, 't6']);
  };
}

/** For M mode with MPRV: whose eyes its loads and stores see with from now on. */
export function choosePreviousMode(random: Random): Fragment {
  // Not M mode: window addresses are devices to it.
  const bits = random.pick([0, 0x800]);
  return (a) => {
    a.li('t6', 0x1800);
    a.csrrc('zero', 'mstatus', 't6');
    a.li('t6', bits);
    a.csrrs('zero', 'mstatus', 't6');
  };
}

function names(list: string): readonly CsrName[] {
  return list.split(' ') as CsrName[];
}
