/**
 * A small assembler of RV64GC, Zba, Zbb and Zbs as a builder: one method per instruction, named as in assembly
 * language with the dots taken out (`fadd.s` is `faddS`), labels, data, and the pseudo-instructions that programs
 * here need.
 * Source: RISC-V Assembly Programmer's Manual, "A listing of standard RISC-V pseudoinstructions".
 * Omitted: relaxation (a branch out of reach is an error); linking of several objects.
 */
import { AssemblyError } from './assembly-error.ts';
import {
  describeInstruction,
  encodeInstruction,
  instructionBytes,
  type instructionTable,
  type Mnemonic,
  mnemonics,
  operandKinds,
} from './instruction-table.ts';
import { loadImmediateSteps } from './load-immediate.ts';
import { encodeOperand, isTargetKind, type OperandKind, type OperandValue } from './operand.ts';
import type { ListingLine, Program } from './program.ts';
import type { XRegister } from './registers.ts';
import { type Fixup, Section } from './section.ts';

export type SectionName = 'text' | 'data' | 'bss';

type Values<Kinds extends readonly OperandKind[]> = { [Index in keyof Kinds]: OperandValue<Kinds[Index]> };

/** Operands of an instruction; a trailing rounding mode or memory order may be left out. */
type Operands<Kinds extends readonly OperandKind[]> = Kinds extends readonly [
  ...infer Head extends readonly OperandKind[],
  infer Last extends 'rounding' | 'order',
]
  ? [...Values<Head>, option?: OperandValue<Last>]
  : Values<Kinds>;

type KindsOf<Name extends Mnemonic> = (typeof instructionTable)[Name] extends readonly [
  number,
  ...infer Kinds extends readonly OperandKind[],
]
  ? Kinds
  : never;

type MethodName<Name extends string> = Name extends `${infer Head}.${infer Tail}`
  ? `${Head}${Capitalize<MethodName<Tail>>}`
  : Name;

type InstructionMethods = {
  readonly [Name in Mnemonic as MethodName<Name>]: (...operands: Operands<KindsOf<Name>>) => void;
};

export type Assembler = AssemblyBuilder & InstructionMethods;

export interface Layout {
  /** Where the text begins. */
  readonly textAddress: number;
  /** The data begins at the next multiple of this behind the text; a page for ELF files. */
  readonly dataAlignment?: number;
}

export function createAssembler(): Assembler {
  const builder = new AssemblyBuilder();
  const methods = Object.fromEntries(
    mnemonics.map((mnemonic) => [
      mnemonic.replace(/\.(.)/g, (_, letter: string) => letter.toUpperCase()),
      (...operands: (string | number)[]) => builder.emit(mnemonic, operands),
    ]),
  );
  return Object.assign(builder, methods as InstructionMethods);
}

class AssemblyBuilder {
  readonly #sections = { text: new Section(), data: new Section() };
  readonly #labels = new Map<string, { section: SectionName; offset: number }>();
  readonly #lines: { offset: number; text: string }[] = [];
  readonly #literals = new Map<string, string>();
  #bssBytes = 0;
  #current: SectionName = 'text';
  #freshCount = 0;

  /** What follows goes into this section. */
  section(name: SectionName): void {
    this.#current = name;
  }

  /** Bytes that the current section holds so far. */
  get offset(): number {
    return this.#current === 'bss' ? this.#bssBytes : this.#sections[this.#current].length;
  }

  /** Defines a label here. */
  label(name: string): void {
    if (this.#labels.has(name)) throw new AssemblyError('assembly.label', `label ${name} is defined twice`);
    this.#labels.set(name, { section: this.#current, offset: this.offset });
  }

  /** A label name that nobody else uses, for loops inside functions that emit code more than once. */
  fresh(name: string): string {
    this.#freshCount++;
    return `${name}.${this.#freshCount}`;
  }

  /** Any instruction, by its mnemonic: for generators and tables; programs call the typed methods. */
  emit(mnemonic: Mnemonic, operands: readonly (string | number)[]): void {
    const kinds = operandKinds(mnemonic);
    const values = [...operands];
    const section = this.#code();
    const at = section.length;
    const targetIndex = kinds.findIndex(isTargetKind);
    const target = values[targetIndex];
    const size = instructionBytes(mnemonic);
    const kind = kinds[targetIndex];
    if (typeof target === 'string' && kind !== undefined) {
      section.fixups.push({ kind, at, size, label: target });
      values[targetIndex] = 0;
    }
    section.appendNumber(BigInt(encodeInstruction(mnemonic, values)), size);
    this.#lines.push({ offset: at, text: describeInstruction(mnemonic, operands) });
  }

  /** Any bits as an instruction, for those that no mnemonic stands for. */
  raw(bits: number, size: 2 | 4): void {
    const section = this.#code();
    this.#lines.push({
      offset: section.length,
      text: `.insn 0x${bits.toString(16).padStart(size * 2, '0')}`,
    });
    section.appendNumber(BigInt(bits), size);
  }

  /** Loads a constant; numbers must be safe integers, so that nothing is rounded on the way. */
  li(rd: XRegister, value: number | bigint): void {
    if (typeof value === 'number' && !Number.isSafeInteger(value)) {
      throw new AssemblyError('assembly.operand', `li takes safe integers and bigints, not ${value}`);
    }
    loadImmediateSteps(BigInt(value)).forEach((step, index) => {
      if (step.kind === 'lui') this.emit('lui', [rd, step.upper]);
      else if (step.kind === 'slli') this.emit('slli', [rd, rd, step.shift]);
      else this.emit(step.kind, [rd, index === 0 ? 'zero' : rd, step.immediate]);
    });
  }

  /** Loads a label's address, relative to the program counter: works wherever the program is put. */
  la(rd: XRegister, label: string): void {
    this.#pair(label);
    this.emit('auipc', [rd, 0]);
    this.emit('addi', [rd, rd, 0]);
  }

  /** Calls a function anywhere in the program. Changes ra. */
  call(label: string): void {
    this.#pair(label);
    this.emit('auipc', ['ra', 0]);
    this.emit('jalr', ['ra', 0, 'ra']);
  }

  mv(rd: XRegister, rs: XRegister): void {
    this.emit('addi', [rd, rs, 0]);
  }

  j(target: string): void {
    this.emit('jal', ['zero', target]);
  }

  ret(): void {
    this.emit('jalr', ['zero', 0, 'ra']);
  }

  nop(): void {
    this.emit('addi', ['zero', 'zero', 0]);
  }

  beqz(rs: XRegister, target: string): void {
    this.emit('beq', [rs, 'zero', target]);
  }

  bnez(rs: XRegister, target: string): void {
    this.emit('bne', [rs, 'zero', target]);
  }

  bltz(rs: XRegister, target: string): void {
    this.emit('blt', [rs, 'zero', target]);
  }

  bgez(rs: XRegister, target: string): void {
    this.emit('bge', [rs, 'zero', target]);
  }

  /** Fills up to a multiple of `alignment` bytes (a power of two) with zeroes. */
  align(alignment: number): void {
    if (alignment < 1 || (alignment & (alignment - 1)) !== 0) {
      throw new AssemblyError('assembly.layout', `${alignment} is no power of two`);
    }
    this.space((alignment - (this.offset & (alignment - 1))) & (alignment - 1));
  }

  /** Zeroes: the only content that bss takes. */
  space(length: number): void {
    if (this.#current === 'bss') this.#bssBytes += length;
    else this.#sections[this.#current].reserve(length);
  }

  bytes(content: Uint8Array): void {
    this.#filled().append(content);
  }

  half(value: number): void {
    this.#filled().appendNumber(BigInt(value), 2);
  }

  word(value: number): void {
    this.#filled().appendNumber(BigInt(value), 4);
  }

  /** 64 bits: a number, or the address of a label. */
  dword(value: bigint | string): void {
    const section = this.#filled();
    if (typeof value === 'string') {
      section.fixups.push({ kind: 'address', at: section.length, size: 8, label: value });
    }
    section.appendNumber(typeof value === 'string' ? 0n : value, 8);
  }

  /** A label in the data section where this text lies, without a zero behind it; equal texts share one. */
  literal(text: string): string {
    const known = this.#literals.get(text);
    if (known !== undefined) return known;
    const label = this.fresh('literal');
    const back = this.#current;
    this.section('data');
    this.label(label);
    this.bytes(new TextEncoder().encode(text));
    this.section(back);
    this.#literals.set(text, label);
    return label;
  }

  /**
   * Places the sections, text then data then bss, and resolves every label.
   * @throws AssemblyError assembly.label for a missing label, assembly.layout for a target out of reach.
   */
  assemble(layout: Layout): Program {
    const { text, data } = this.#sections;
    const alignment = layout.dataAlignment ?? 16;
    const dataAddress = Math.ceil((layout.textAddress + text.length) / alignment) * alignment;
    const bssOffset = Math.ceil(data.length / 16) * 16;
    const addresses = { text: layout.textAddress, data: dataAddress, bss: dataAddress + bssOffset };
    const symbols = new Map<string, number>();
    for (const [name, { section, offset }] of this.#labels) symbols.set(name, addresses[section] + offset);
    const listing: ListingLine[] = this.#lines.map(({ offset, text: line }) => ({
      address: layout.textAddress + offset,
      text: line,
    }));
    const memoryBytes = this.#bssBytes === 0 ? data.length : bssOffset + this.#bssBytes;
    return {
      text: {
        name: 'text',
        address: addresses.text,
        bytes: resolved(text, addresses.text, symbols),
        memoryBytes: text.length,
      },
      data: { name: 'data', address: dataAddress, bytes: resolved(data, dataAddress, symbols), memoryBytes },
      symbols,
      listing,
    };
  }

  #pair(label: string): void {
    const section = this.#code();
    section.fixups.push({ kind: 'pair', at: section.length, size: 8, label });
  }

  #code(): Section {
    if (this.#current !== 'text') {
      throw new AssemblyError('assembly.layout', `instructions belong into text, not into ${this.#current}`);
    }
    return this.#sections.text;
  }

  #filled(): Section {
    if (this.#current === 'bss') throw new AssemblyError('assembly.layout', 'bss holds only zeroes');
    return this.#sections[this.#current];
  }
}

function resolved(section: Section, address: number, symbols: ReadonlyMap<string, number>): Uint8Array {
  const bytes = section.bytes.slice();
  const view = new DataView(bytes.buffer);
  for (const fixup of section.fixups) {
    const target = symbols.get(fixup.label);
    if (target === undefined) {
      throw new AssemblyError('assembly.label', `label ${fixup.label} is not defined`);
    }
    patch(view, fixup, target, target - (address + fixup.at));
  }
  return bytes;
}

function patch(view: DataView, fixup: Fixup, target: number, distance: number): void {
  if (fixup.kind === 'address') view.setBigUint64(fixup.at, BigInt(target), true);
  else if (fixup.kind === 'pair') patchPair(view, fixup.at, distance, fixup.label);
  else {
    const bits = encodeTarget(fixup.kind, distance, fixup.label);
    if (fixup.size === 2) view.setUint16(fixup.at, view.getUint16(fixup.at, true) | bits, true);
    else view.setUint32(fixup.at, view.getUint32(fixup.at, true) | bits, true);
  }
}

function encodeTarget(kind: OperandKind, distance: number, label: string): number {
  try {
    return encodeOperand(kind, distance);
  } catch (cause) {
    throw new AssemblyError('assembly.layout', `label ${label} is out of reach, ${distance} bytes away`, {
      cause,
    });
  }
}

/** auipc takes the upper 20 bits, rounded so that the signed lower 12 of the next instruction make up the rest. */
function patchPair(view: DataView, at: number, distance: number, label: string): void {
  if (distance < -0x8000_0000 || distance >= 0x7fff_f800) {
    throw new AssemblyError('assembly.layout', `label ${label} is out of reach, ${distance} bytes away`);
  }
  const upper = (distance + 0x800) >> 12;
  view.setUint32(at, (view.getUint32(at, true) | (upper << 12)) >>> 0, true);
  const lower = distance - upper * 4096;
  view.setUint32(at + 4, (view.getUint32(at + 4, true) | (lower << 20)) >>> 0, true);
}
