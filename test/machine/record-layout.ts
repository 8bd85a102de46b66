/**
 * What the harness reads (a descriptor of a program) and what it leaves (a record of it), as offsets in bytes.
 * The harness's code and the TypeScript that writes and reads these use the same numbers.
 */

/** CSRs set before a program, in this order from `descriptor.csrs` on. mstatus carries MPP and comes last. */
export const initialCsrNames = [
  'pmpaddr0',
  'pmpaddr1',
  'pmpaddr2',
  'pmpaddr3',
  'pmpcfg0',
  'medeleg',
  'mideleg',
  'mie',
  'satp',
  'mcounteren',
  'scounteren',
  'sscratch',
  'fcsr',
  'mstatus',
] as const;

export const descriptor = {
  registers: 0,
  floats: 256,
  csrs: 512,
  entry: 512 + 8 * 16,
  end: 512 + 8 * 17,
  record: 512 + 8 * 18,
  /** The mode bits of mtvec and stvec: 1 for a table. */
  machineVectors: 512 + 8 * 19,
  supervisorVectors: 512 + 8 * 20,
} as const;

/** CSRs that a record holds at its end, in this order from `record.csrs` on. */
export const finalCsrNames = [
  'mstatus',
  'medeleg',
  'mideleg',
  'mie',
  'mip',
  'satp',
  'stvec',
  'sscratch',
  'sepc',
  'scause',
  'stval',
  'mcounteren',
  'scounteren',
  'menvcfg',
  'senvcfg',
  'pmpaddr0',
  'pmpaddr1',
  'pmpaddr2',
  'pmpaddr3',
  'pmpcfg0',
  'fcsr',
] as const;

/** Entries of the handlers' tables. */
export const vectorCount = 16;

/** CSRs of each logged trap. */
export const trapCsrNames = [
  'mcause',
  'mepc',
  'mtval',
  'mstatus',
  'scause',
  'sepc',
  'stval',
  'satp',
] as const;

export const trapBytes = 64;
/** After this many traps a program is over. */
export const trapsMax = 40;

export const record = {
  registers: 0,
  floats: 256,
  csrs: 512,
  end: 512 + 8 * 24,
  trapCount: 512 + 8 * 25,
  /** Causes of the interrupts that came in through the table of M mode, the last one in bits 3:0. */
  vectors: 512 + 8 * 26,
  /** The harness's own. */
  spare: 512 + 8 * 27,
  traps: 768,
  bytes: 768 + trapBytes * trapsMax,
} as const;
