/**
 * The core's part of a saved state: registers, CSRs, clock, architectural TLB, CLINT and PLIC, each by name. Fast
 * entries and decoded code are not state: they are derived again. Everything that could lead the core outside its
 * memory, or that it never produces itself, is refused.
 */
import { type CoreExports, type CoreModules, layoutOf } from './core-module.ts';
import type { DeviceField, DeviceState } from './devices/device.ts';
import { StateReader } from './devices/state-reader.ts';
import { MachineError } from './machine-error.ts';

/** 2: physical memory protection is enforced, so a machine with the built-in SBI has an entry that permits all. */
const version = 2;
const integerRegisterBytes = 256;
const none = 0xffff_ffff_ffff_ffffn;
const all = none;
/** No machine runs for so long; sums of steps stay below 2^64. */
const stepsMax = 0x3fff_ffff_ffff_ffffn;

/** 64-bit fields by the names of assembly/layout.ts, with the bits that may be set. */
const words: Readonly<Record<string, bigint>> = {
  PC: all & ~1n,
  PRIVILEGE: 3n,
  STEPS: stepsMax,
  RETIRED_OFFSET: all,
  CYCLE_OFFSET: all,
  WAITING: 1n,
  RESERVATION_ADDRESS: all,
  RESERVATION_VALUE: all,
  TIME_BASE: all,
  TIME_STEPS: stepsMax,
  TIME_RATE: 0xffff_ffffn,
  SBI_ENABLED: 1n,
  MSTATUS: 0x7e79aan,
  MEDELEG: 0xf0_bfffn,
  MIDELEG: 0x222n,
  MIE: 0xaaan,
  MIP: 0x222n,
  MTVEC: all & ~2n,
  MCOUNTEREN: 0xffff_ffffn,
  MSCRATCH: all,
  MEPC: all & ~1n,
  MCAUSE: all,
  MTVAL: all,
  MENVCFG: 0x8000_0000_0000_0001n,
  STVEC: all & ~2n,
  SCOUNTEREN: 0xffff_ffffn,
  SSCRATCH: all,
  SEPC: all & ~1n,
  SCAUSE: all,
  STVAL: all,
  SATP: 0x8fff_ffff_ffff_ffffn,
  STIMECMP: all,
  SENVCFG: 1n,
  MCOUNTINHIBIT: 0xffff_fffdn,
  CLINT_MSIP: 1n,
  CLINT_MTIMECMP: all,
};

const protectionEntries = 16;
const protectionAddressMax = (1n << 54n) - 1n;
/** A byte of configuration and an address of 8 bytes each. */
const protectionBytes = protectionEntries * 9;
const tlbEntryBytes = 16;
const plicBytes = 0x60;

/** Reads and writes the core's state in the machine's memory. */
export class CpuState {
  readonly #bytes: Uint8Array<SharedArrayBuffer>;
  readonly #view: DataView;
  readonly #modules: CoreModules;
  readonly #core: Pick<CoreExports, 'saveTlb' | 'canRestoreTlb' | 'restoreTlb'>;
  readonly #ramPages: number;

  /** `core`: the instance whose state it is. */
  constructor(modules: CoreModules, memory: WebAssembly.Memory, core: CoreExports, ramPages: number) {
    const buffer = memory.buffer;
    this.#bytes = new Uint8Array(buffer, 0, layoutOf(modules, 'RAM'));
    this.#view = new DataView(buffer, 0, layoutOf(modules, 'RAM'));
    this.#modules = modules;
    this.#core = core;
    this.#ramPages = ramPages;
  }

  save(): DeviceState {
    const fields: Record<string, DeviceField> = {};
    for (const name of Object.keys(words)) fields[name] = this.word(name);
    fields.integerRegisters = this.#slice('XREG', integerRegisterBytes);
    fields.floatRegisters = this.#slice('FREG', 256);
    fields.floatControl = this.#view.getUint32(this.#at('FCSR'), true);
    fields.fetchVirtual = this.word('FETCH_VIRTUAL');
    fields.fetchPhysical = this.word('FETCH_PHYSICAL');
    fields.physicalMemoryProtection = this.#slice('PMPCFG', protectionBytes);
    fields.plicPriorities = this.#slice('PLIC_PRIORITY', this.#at('PLIC_SOURCES') * 4);
    fields.plic = this.#slice('PLIC_PENDING', plicBytes);
    fields.tlb = this.#saveTlb();
    return { version, fields };
  }

  /** Checks everything; the returned function then writes it. @throws MachineError snapshot.invalid */
  prepare(state: DeviceState): () => void {
    const isOfOldVersion = state.version === 1;
    const reader = StateReader.open('cpu', state, isOfOldVersion ? 1 : version);
    const values = new Map(
      Object.entries(words).map(([name, mask]) => [name, this.#checked(reader, name, mask)]),
    );
    const integers = reader.bytes('integerRegisters', integerRegisterBytes, integerRegisterBytes);
    const floats = reader.bytes('floatRegisters', 256, 256);
    const floatControl = reader.integer('floatControl', 0, 0xff);
    const fetchVirtual = reader.unsigned64('fetchVirtual');
    const fetchPhysical = reader.unsigned64('fetchPhysical');
    const protection = reader.bytes('physicalMemoryProtection', protectionBytes, protectionBytes);
    const prioritiesBytes = this.#at('PLIC_SOURCES') * 4;
    const priorities = reader.bytes('plicPriorities', prioritiesBytes, prioritiesBytes);
    const plic = reader.bytes('plic', plicBytes, plicBytes);
    const writeTlb = this.#prepareTlb(reader.bytes('tlb', 0, this.#at('TLB_ENTRIES') * tlbEntryBytes));
    reader.finish();
    if (isOfOldVersion && values.get('SBI_ENABLED') === 1n) openProtection(protection);
    checkProtection(protection);
    if (values.get('PRIVILEGE') === 2n) throw refused('PRIVILEGE');
    const mode = (values.get('SATP') ?? 0n) >> 60n;
    if (mode !== 0n && mode !== 8n) throw refused('SATP');
    if (integers.subarray(0, 8).some((byte) => byte !== 0)) throw refused('integerRegisters');
    if (fetchVirtual !== none && (fetchVirtual & 0xfffn) !== 0n) throw refused('fetchVirtual');
    if (fetchPhysical >= BigInt(this.#ramPages)) throw refused('fetchPhysical');
    return () => {
      for (const [name, value] of values) this.#setWord(name, value);
      this.#bytes.set(integers, this.#at('XREG'));
      this.#bytes.set(floats, this.#at('FREG'));
      this.#view.setUint32(this.#at('FCSR'), floatControl, true);
      this.#setWord('FETCH_VIRTUAL', fetchVirtual);
      this.#setWord('FETCH_PHYSICAL', fetchPhysical);
      this.#bytes.set(protection, this.#at('PMPCFG'));
      this.#bytes.set(priorities, this.#at('PLIC_PRIORITY'));
      this.#bytes.set(plic, this.#at('PLIC_PENDING'));
      writeTlb();
    };
  }

  /** A 64-bit field by its name in the layout. */
  word(name: string): bigint {
    return this.#view.getBigUint64(this.#at(name), true);
  }

  register(number: number): bigint {
    return this.#view.getBigUint64(this.#at('XREG') + (number & 31) * 8, true);
  }

  setRegister(number: number, value: bigint): void {
    if (number > 0 && number < 32) this.#view.setBigUint64(this.#at('XREG') + number * 8, value, true);
  }

  /** Physical, at a reset. */
  setProgramCounter(address: bigint): void {
    this.#setWord('PC', address & ~1n);
  }

  #setWord(name: string, value: bigint): void {
    this.#view.setBigUint64(this.#at(name), value, true);
  }

  #checked(reader: StateReader, name: string, mask: bigint): bigint {
    const value = reader.unsigned64(name);
    if ((value & ~mask) !== 0n) throw refused(name);
    return value;
  }

  /** Tag and pte of each entry in use, in the order of their use. */
  #saveTlb(): Uint8Array {
    return this.#slice('TLB_SAVED', this.#core.saveTlb() * tlbEntryBytes);
  }

  /** In the core: there may be a thousand entries, and their guest stands still meanwhile. The returned function writes them. */
  #prepareTlb(saved: Uint8Array): () => void {
    const count = saved.length / tlbEntryBytes;
    const place = this.#at('TLB_SAVED');
    if (!Number.isInteger(count)) throw refused('tlb');
    this.#bytes.set(saved, place);
    if (this.#core.canRestoreTlb(count) === 0) throw refused('tlb');
    return () => {
      this.#bytes.set(saved, place);
      this.#core.restoreTlb(count);
    };
  }

  #slice(name: string, length: number): Uint8Array {
    const at = this.#at(name);
    return this.#bytes.slice(at, at + length);
  }

  #at(name: string): number {
    return layoutOf(this.#modules, name);
  }
}

/** As openProtection of assembly/pmp.ts. */
function openProtection(protection: Uint8Array): void {
  protection.fill(0);
  protection[0] = 0x1f;
  viewOf(protection).setBigUint64(protectionEntries, protectionAddressMax, true);
}

function checkProtection(protection: Uint8Array): void {
  for (let entry = 0; entry < protectionEntries; entry++) {
    const address = viewOf(protection).getBigUint64(protectionEntries + entry * 8, true);
    if (((protection[entry] ?? 0) & 0x60) !== 0 || address > protectionAddressMax)
      throw refused('physicalMemoryProtection');
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function refused(field: string): MachineError {
  return new MachineError('snapshot.invalid', `cpu.${field} holds what no machine of this kind can hold`);
}
