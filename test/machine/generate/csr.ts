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
const writable = names('sscratch scause stval mcause mtval fcsr fflags frm');
/**
 * No standard extension gives these a meaning, and nobody here does; then mvendorid and mhartid, which can't be
 * written. QEMU 7.2 lets csrrs and csrrc write a zero there, so these come only with x0.
 */
const refusedCsrs = [0x5c0, 0x800, 0x9c0, 0x0c0, 0xdff, 0x7c0, 0xfc0, 0x6c0, 0xf11, 0xf14];

const accesses: readonly Mnemonic[] = ['csrrw', 'csrrs', 'csrrc'];
const immediateAccesses: readonly Mnemonic[] = ['csrrwi', 'csrrsi', 'csrrci'];

const oddBit = 1n;
const pageBasedTypesBit = 1n << 62n;
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
      return ~(0xf0n | pageBasedTypesBit);
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
  switch (random.between(0, 6)) {
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
