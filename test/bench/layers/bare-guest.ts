/**
 * A program on the bare machine: no kernel, so that a core without one of its layers can run it too. It runs in M mode
 * untranslated, or in U mode behind page tables that map RAM to itself in pages of 4 KiB. At its end the hart waits for
 * ever. Source: RISC-V privileged manual, "Sv39" and "Physical Memory Protection".
 */
import { type Assembler, createAssembler, type Program } from '@skein/guests';
import { type CoreModules, createDevices, createMachineMemory, Machine } from '@skein/machine';

export type Space = 'untranslated' | 'paged';

const ramBase = 0x8000_0000;
const memoryMib = 64;
const pageBytes = 4096;
/** Where page tables stand, where the program's arguments, and what programs may use as they like. */
const tablesAddress = ramBase + 0x10_0000;
const argumentsAddress = ramBase + 0x30_0000;
export const areaAddress = ramBase + 0x100_0000;
export const areaBytes = 0x200_0000;
/** An A/D update would be one store more for each page: they are set. */
const leaf = { V: 1, R: 2, W: 4, X: 8, U: 16, A: 64, D: 128 } as const;
const leafBits = Object.values(leaf).reduce((bits, bit) => bits | bit, 0);
/** As Linux has them for riscv64: the harness answers these two, and anything else with 0. */
const systemCall = { write: 64, exit: 94 } as const;
const userCall = 8;
const machineCall = 11;
/** No program here has as many steps. */
const runStepsMax = 2_000_000_000;

export interface BareProgram {
  readonly emit: (a: Assembler) => void;
  readonly entry: string;
  readonly args?: readonly string[];
}

/** Assembled once, loaded into as many machines as one likes. */
export function assembleBare(program: BareProgram, space: Space): Program {
  const a = createAssembler();
  emitStart(a, program.entry, space);
  emitTrap(a);
  a.align(pageBytes);
  program.emit(a);
  return a.assemble({ textAddress: ramBase, dataAlignment: pageBytes });
}

export class BareGuest {
  readonly machine: Machine;
  readonly #program: Program;

  constructor(core: CoreModules, program: Program, args: readonly string[], space: Space) {
    this.#program = program;
    this.machine = new Machine({
      core,
      memory: createMachineMemory(core, memoryMib),
      memoryMib,
      devices: createDevices({ nics: [] }),
      emit: () => {},
    });
    const { guestMemory } = this.machine;
    guestMemory.write(program.text.address, program.text.bytes);
    guestMemory.write(program.data.address, program.data.bytes);
    guestMemory.write(argumentsAddress, argumentBlock(args));
    if (space === 'paged') guestMemory.write(tablesAddress, identityTables());
    this.machine.startFirmware();
  }

  /** To the program's end. Returns user CPU time and steps; a core that does not count says nothing of the latter. */
  run(): { readonly userMs: number; readonly steps: number } {
    const before = process.cpuUsage();
    const { steps, reason } = this.machine.run(runStepsMax);
    const { user } = process.cpuUsage(before);
    if (reason !== 'idle') throw new Error(`the program did not end: ${reason} after ${steps} steps`);
    const cause = this.machine.register(11);
    if (cause !== BigInt(userCall) && cause !== BigInt(machineCall))
      throw new Error(`the program ended with trap ${cause} at ${this.machine.register(12).toString(16)}`);
    return { userMs: user / 1000, steps };
  }

  /** 64-bit words at a label. */
  words(label: string, count: number): readonly bigint[] {
    const bytes = this.machine.guestMemory.readable(this.#address(label), count * 8).slice();
    return [...new BigUint64Array(bytes.buffer)];
  }

  #address(label: string): number {
    const address = this.#program.symbols.get(label);
    if (address === undefined) throw new Error(`no label ${label}`);
    return address;
  }
}

function emitStart(a: Assembler, entry: string, space: Space): void {
  a.la('t0', 'bare.trap');
  a.csrrw('zero', 'mtvec', 't0');
  a.li('t0', (1n << 54n) - 1n);
  a.csrrw('zero', 'pmpaddr15', 't0');
  a.li('t0', 0x1fn << 56n);
  a.csrrw('zero', 'pmpcfg2', 't0');
  a.li('t0', -1);
  a.csrrw('zero', 'mcounteren', 't0');
  a.csrrw('zero', 'scounteren', 't0');
  if (space === 'paged') {
    a.li('t0', (8n << 60n) | BigInt(tablesAddress / pageBytes));
    a.csrrw('zero', 'satp', 't0');
    a.li('t0', 0);
  } else a.li('t0', 3 << 11);
  a.csrrw('zero', 'mstatus', 't0');
  a.la('t0', entry);
  a.csrrw('zero', 'mepc', 't0');
  a.li('sp', argumentsAddress);
  a.mret();
}

/** Six instructions for a call that asks for nothing; the way to the end is the same in all spaces. */
function emitTrap(a: Assembler): void {
  a.align(4);
  a.label('bare.trap');
  a.bnez('a7', 'bare.call');
  a.label('bare.resume');
  a.csrrs('a6', 'mepc', 'zero');
  a.addi('a6', 'a6', 4);
  a.csrrw('zero', 'mepc', 'a6');
  a.mret();
  a.label('bare.call');
  a.li('a6', systemCall.exit);
  a.beq('a7', 'a6', 'bare.end');
  a.csrrs('a6', 'mcause', 'zero');
  a.andi('a6', 'a6', ~3);
  a.addi('a6', 'a6', -userCall);
  a.bnez('a6', 'bare.end');
  a.li('a6', systemCall.write);
  a.beq('a7', 'a6', 'bare.write');
  a.li('a0', 0);
  a.j('bare.resume');
  a.label('bare.write');
  a.mv('a0', 'a2');
  a.j('bare.resume');
  a.label('bare.end');
  a.csrrs('a1', 'mcause', 'zero');
  a.csrrs('a2', 'mepc', 'zero');
  a.label('bare.wait');
  a.wfi();
  a.j('bare.wait');
}

/** argc, argv and the strings, as a process finds them at its stack pointer. */
function argumentBlock(args: readonly string[]): Uint8Array {
  const strings = args.map((text) => Buffer.from(`${text}\0`, 'latin1'));
  const head = (args.length + 2) * 8;
  const block = Buffer.alloc(head + strings.reduce((sum, { length }) => sum + length, 0));
  block.writeBigUInt64LE(BigInt(args.length), 0);
  let at = head;
  for (const [index, text] of strings.entries()) {
    block.writeBigUInt64LE(BigInt(argumentsAddress + at), 8 + index * 8);
    block.set(text, at);
    at += text.length;
  }
  return block;
}

/** Root, one table of megapages' tables, and a table for each 2 MiB of RAM. */
function identityTables(): Uint8Array {
  const leafTables = (memoryMib * 2 ** 20) / (512 * pageBytes);
  const tables = Buffer.alloc((2 + leafTables) * pageBytes);
  const pointer = (table: number): bigint => BigInt(tablesAddress / pageBytes + table) << 10n;
  tables.writeBigUInt64LE(pointer(1) | BigInt(leaf.V), Math.floor(ramBase / 2 ** 30) * 8);
  for (let table = 0; table < leafTables; table++) {
    tables.writeBigUInt64LE(pointer(2 + table) | BigInt(leaf.V), pageBytes + table * 8);
    for (let index = 0; index < 512; index++) {
      const page = BigInt(ramBase / pageBytes + table * 512 + index);
      tables.writeBigUInt64LE((page << 10n) | BigInt(leafBits), (2 + table) * pageBytes + index * 8);
    }
  }
  return tables;
}
