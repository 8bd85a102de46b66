/** The registers of a machine that stands still, by their names: what a person looks at, and what two runs differ in. */
import { type Machine, pageBytes } from '@skein/machine';

const integerNames: readonly string[] = [
  ...'zero ra sp gp tp t0 t1 t2 s0 s1 a0 a1 a2 a3 a4 a5 a6 a7'.split(' '),
  ...'s2 s3 s4 s5 s6 s7 s8 s9 s10 s11 t3 t4 t5 t6'.split(' '),
];
const csrNames: readonly string[] = [
  ...'mstatus medeleg mideleg mie mip mtvec mepc mcause mtval mscratch'.split(' '),
  ...'stvec sepc scause stval sscratch satp stimecmp'.split(' '),
];
const modes: Readonly<Record<string, string>> = { '0': 'U', '1': 'S', '3': 'M' };
const ramBase = 0x8000_0000;

export type Registers = Readonly<Record<string, bigint>>;

/** pc, the integer registers, then CSRs. */
export function registersOf(machine: Machine): Registers {
  return Object.fromEntries([
    ['pc', machine.programCounter],
    ...integerNames.map((name, number): [string, bigint] => [name, machine.register(number)]),
    ...csrNames.map((name): [string, bigint] => [name, machine.stateWord(name.toUpperCase())]),
  ]);
}

/** M, S or U. */
export function modeOf(machine: Machine): string {
  return modes[String(machine.stateWord('PRIVILEGE'))] ?? '?';
}

/** Addresses of the pages of RAM in which two machines differ. */
export function differingPages(one: Machine, other: Machine): readonly number[] {
  const pages: number[] = [];
  for (let page = 0; page < one.memory.pages && page < other.memory.pages; page++) {
    if (one.pageHash(page) !== other.pageHash(page)) pages.push(ramBase + page * pageBytes);
  }
  return pages;
}
