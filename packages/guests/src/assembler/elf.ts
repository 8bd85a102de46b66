/**
 * Writes a static Linux executable for RV64: an ELF header and two segments, one to run and one to write.
 * Source: System V ABI, "ELF Header" and "Program Header"; RISC-V ELF psABI, "File Header" (e_flags).
 * Omitted: sections, symbols, dynamic linking; the kernel needs none of them.
 */
import { AssemblyError } from './assembly-error.ts';
import type { Program, ProgramSegment } from './program.ts';

const elfHeaderBytes = 64;
const programHeaderBytes = 56;
/** Segments start at their address modulo this, so that the kernel can map the file. */
export const pageBytes = 4096;

const typeExecutable = 2;
const machineRiscv = 243;
/** EF_RISCV_RVC and EF_RISCV_FLOAT_ABI_DOUBLE. */
const flagsCompressedDouble = 5;
const loadable = 1;
const gnuStack = 0x6474e551;
const execute = 1;
const write = 2;
const read = 4;

/**
 * @param program assembled with dataAlignment `pageBytes`, text at a page's start
 * @param entry label where execution begins
 * @throws AssemblyError assembly.label, assembly.layout
 */
export function elfExecutable(program: Program, entry: string): Uint8Array {
  const entryAddress = program.symbols.get(entry);
  if (entryAddress === undefined) {
    throw new AssemblyError('assembly.label', `the entry label ${entry} is not defined`);
  }
  const { text, data } = program;
  for (const segment of [text, data]) {
    if (segment.address % pageBytes !== 0) {
      throw new AssemblyError('assembly.layout', `${segment.name} does not begin at a page's start`);
    }
  }
  const textOffset = pageBytes;
  const dataOffset = textOffset + Math.ceil(text.bytes.length / pageBytes) * pageBytes;
  const file = new Uint8Array(dataOffset + data.bytes.length);
  const view = new DataView(file.buffer);
  writeElfHeader(file, view, entryAddress);
  writeProgramHeader(view, 0, loadable, read | execute, textOffset, text);
  writeProgramHeader(view, 1, loadable, read | write, dataOffset, data);
  // Says that the stack need not be executable.
  writeProgramHeader(view, 2, gnuStack, read | write, 0, undefined);
  file.set(text.bytes, textOffset);
  file.set(data.bytes, dataOffset);
  return file;
}

function writeElfHeader(file: Uint8Array, view: DataView, entryAddress: number): void {
  // Magic; 64 bits; little-endian; version 1; System V.
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0]);
  view.setUint16(16, typeExecutable, true);
  view.setUint16(18, machineRiscv, true);
  view.setUint32(20, 1, true);
  view.setBigUint64(24, BigInt(entryAddress), true);
  view.setBigUint64(32, BigInt(elfHeaderBytes), true);
  view.setUint32(48, flagsCompressedDouble, true);
  view.setUint16(52, elfHeaderBytes, true);
  view.setUint16(54, programHeaderBytes, true);
  view.setUint16(56, 3, true);
}

function writeProgramHeader(
  view: DataView,
  index: number,
  type: number,
  permissions: number,
  offset: number,
  segment: ProgramSegment | undefined,
): void {
  const at = elfHeaderBytes + index * programHeaderBytes;
  const address = BigInt(segment?.address ?? 0);
  view.setUint32(at, type, true);
  view.setUint32(at + 4, permissions, true);
  view.setBigUint64(at + 8, BigInt(offset), true);
  view.setBigUint64(at + 16, address, true);
  view.setBigUint64(at + 24, address, true);
  view.setBigUint64(at + 32, BigInt(segment?.bytes.length ?? 0), true);
  view.setBigUint64(at + 40, BigInt(segment?.memoryBytes ?? 0), true);
  view.setBigUint64(at + 48, BigInt(segment === undefined ? 16 : pageBytes), true);
}
