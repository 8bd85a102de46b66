/**
 * One random program of a differential test: where it starts, what the machine holds then, and its fragments. Each
 * fragment is complete in itself (it brings its own labels), so that any may be left out when a mismatch is shrunk.
 */
import { type Assembler, createAssembler, type Program } from '@skein/guests';
import type { Protection } from './generate/protection.ts';
import { codeAddress } from './memory-map.ts';

export type Mode = 'M' | 'S' | 'U';

export type Fragment = (a: Assembler) => void;

/** CSRs that are set before the program starts. mstatus without MPP, which follows from the mode. */
export interface InitialCsrs extends Protection {
  readonly mstatus: bigint;
  readonly medeleg: bigint;
  readonly mideleg: bigint;
  readonly mie: bigint;
  readonly satp: bigint;
  readonly mcounteren: bigint;
  readonly scounteren: bigint;
  readonly sscratch: bigint;
  readonly fcsr: bigint;
}

export interface TestProgram {
  /** What it was generated to try, for people. */
  readonly kind: string;
  /** Makes this program again: run({ seed, count: 1 }). */
  readonly seed: bigint;
  readonly mode: Mode;
  /** Bytes from the start of the program's two code pages; chosen to let instructions cross a page. */
  readonly codeOffset: number;
  readonly fragments: readonly Fragment[];
  /** Instructions, by their place in the listing, that do nothing: what a mismatch does not need. */
  readonly blanked?: ReadonlySet<number>;
  /** x0 to x31. */
  readonly registers: readonly bigint[];
  /** f0 to f31. */
  readonly floats: readonly bigint[];
  readonly csrs: InitialCsrs;
  /** Whether the handlers of these modes are tables, which interrupts enter each in its own place. */
  readonly vectored: { readonly M: boolean; readonly S: boolean };
  /** Content of its data pages and of its page tables. */
  readonly data: Uint8Array;
  readonly tables: Uint8Array;
}

export interface AssembledProgram {
  readonly code: Program;
  readonly endAddress: number;
}

/** The program's code at its place in slot `slot`; it ends with an ebreak, at the returned address. */
export function assembleProgram(program: TestProgram, slot: number): AssembledProgram {
  const a = createAssembler();
  for (const fragment of program.fragments) fragment(a);
  a.label('end');
  a.ebreak();
  const code = a.assemble({ textAddress: codeAddress(slot) + program.codeOffset });
  blank(code, program.blanked ?? new Set());
  return { code, endAddress: code.symbols.get('end') ?? 0 };
}

const nop = 0x0000_0013;
const shortNop = 0x0001;

/** In place: everything else stays where it is. */
function blank({ text, listing }: Program, blanked: ReadonlySet<number>): void {
  const view = new DataView(text.bytes.buffer, text.bytes.byteOffset, text.bytes.length);
  for (const index of blanked) {
    const line = listing[index];
    if (line === undefined) continue;
    const offset = line.address - text.address;
    const isShort = (view.getUint16(offset, true) & 3) !== 3;
    if (isShort) view.setUint16(offset, shortNop, true);
    else view.setUint32(offset, nop, true);
  }
}
