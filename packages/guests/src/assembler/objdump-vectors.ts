/**
 * Makes the golden vectors of the instruction table: every instruction with several sets of operands, as the
 * assembler encodes it and as GNU objdump reads it back. Run it after a change of the table, where
 * binutils-riscv64-linux-gnu is installed: `node packages/guests/src/assembler/objdump-vectors.ts`.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  encodeInstruction,
  instructionBytes,
  type Mnemonic,
  mnemonics,
  operandKinds,
} from './instruction-table.ts';
import type { OperandKind } from './operand.ts';

export interface InstructionVector {
  readonly mnemonic: Mnemonic;
  readonly operands: readonly (string | number)[];
  /** The instruction's bits, hexadecimal. */
  readonly bits: string;
  /** What objdump makes of them, at address 0, with `-M no-aliases`. */
  readonly objdump: string;
}

/** Extremes and odd patterns for each kind: a bit in the wrong place shows up in one of them. */
const samples: Record<OperandKind, readonly (string | number)[]> = {
  rd: ['a0', 't6', 'ra', 's5'],
  rs1: ['s11', 'a1', 'zero', 't2'],
  rs2: ['a2', 'sp', 't5', 's8'],
  base: ['sp', 'a7', 't6', 'tp'],
  fd: ['fa0', 'ft11', 'ft0', 'fs4'],
  fs1: ['fs11', 'fa1', 'ft10', 'ft1'],
  fs2: ['fa2', 'ft8', 'fs1', 'ft5'],
  fs3: ['ft3', 'fs8', 'fa7', 'ft9'],
  imm: [-2048, 2047, -1, 0x555],
  offset: [2047, -2048, 8, -0x556],
  storeOffset: [-2048, 2047, 24, -0x2ab],
  branch: [-4096, 4094, 0x554, -0xaac],
  jump: [-1048576, 1048574, 0x55554, -0x2aaac],
  upper: [0xfffff, 1, 0x80000, 0x5a5a5],
  shift: [63, 1, 32, 21],
  shiftWord: [31, 1, 16, 21],
  bits5: [31, 1, 16, 21],
  csr: ['mstatus', 'satp', 'fcsr', 'stvec'],
  predecessor: ['iorw', 'r', 'io', 'w'],
  successor: ['rw', 'iorw', 'w', 'o'],
  rounding: ['dyn', 'rne', 'rtz', 'rmm'],
  order: ['', 'aq', 'rl', 'aqrl'],
  cd: ['a0', 't6', 'ra', 's5'],
  cs2: ['a1', 'gp', 't5', 's8'],
  cfd: ['fa0', 'ft11', 'ft1', 'fs5'],
  cfs2: ['fa1', 'ft8', 'ft2', 'fs9'],
  shortD: ['s0', 'a5', 'a2', 's1'],
  shortS1: ['a5', 's0', 'a1', 'a2'],
  shortBase: ['a4', 's1', 'a3', 'a0'],
  shortFd: ['fs0', 'fa5', 'fa2', 'fs1'],
  cImm: [-32, 31, -1, 21],
  cImmNonzero: [-32, 31, -1, 21],
  cUpper: [-32, 31, -1, 21],
  cShift: [63, 1, 32, 21],
  cStackStep: [-512, 496, 16, -0xb0],
  cStackAddress: [1020, 4, 0x154, 0x2a8],
  cOffsetWord: [124, 0, 84, 40],
  cOffsetDouble: [248, 0, 168, 80],
  cStackLoadWord: [252, 0, 84, 168],
  cStackLoadDouble: [504, 0, 168, 336],
  cStackStoreWord: [252, 0, 84, 168],
  cStackStoreDouble: [504, 0, 168, 336],
  cBranch: [-256, 254, 0xaa, -0x56],
  cJump: [-2048, 2046, 0x554, -0x2ac],
};

export function makeVectors(): readonly InstructionVector[] {
  const cases = mnemonics.flatMap((mnemonic) => {
    const kinds = operandKinds(mnemonic);
    const count = kinds.length === 0 ? 1 : 4;
    return Array.from({ length: count }, (_, index) => ({
      mnemonic,
      operands: kinds.map((kind) => samples[kind][index] ?? ''),
    }));
  });
  const folder = mkdtempSync(join(tmpdir(), 'skein-vectors-'));
  try {
    return cases.map(({ mnemonic, operands }) => {
      const word = encodeInstruction(mnemonic, operands);
      const bytes = instructionBytes(mnemonic);
      return {
        mnemonic,
        operands,
        bits: word.toString(16).padStart(bytes * 2, '0'),
        objdump: disassemble(folder, word, bytes),
      };
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** What objdump is to know of; in a file that does not say, it takes RV64GC alone. */
const architecture = 'rv64gc_zba_zbb_zbs';

/** One instruction a run: each stands at address 0, and nothing a wrong one swallows can hide the next. */
function disassemble(folder: string, word: number, bytes: 2 | 4): string {
  const [source, object] = [join(folder, 'word.s'), join(folder, 'word.o')];
  writeFileSync(source, `.insn ${bytes}, 0x${word.toString(16)}\n`);
  execFileSync('riscv64-linux-gnu-as', [`-march=${architecture}`, '-o', object, source]);
  const args = ['-d', '-M', 'no-aliases', object];
  const output = execFileSync('riscv64-linux-gnu-objdump', args, { encoding: 'utf8' });
  const line = /^\s+0:\t\S+\s+(.*)$/m.exec(output)?.[1] ?? '';
  return (
    line
      .replace(/\s+#.*$/, '')
      // A target is an address and where that is from the only symbol.
      .replace(/([0-9a-f]+) <.text.*>$/, '0x$1')
      .replace('\t', ' ')
      .trim()
  );
}

if (import.meta.main) {
  const rows = makeVectors().map((vector) => JSON.stringify(vector));
  writeFileSync(new URL('instruction-vectors.json', import.meta.url), `[\n  ${rows.join(',\n  ')}\n]\n`);
}
