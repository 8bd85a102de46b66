/**
 * Reads the loadable segments of a 64-bit little-endian RISC-V ELF executable. Every offset and length is checked
 * against the file before it is used. Omitted: sections, symbols and relocation; a loader needs none of them.
 * Source: System V ABI, "ELF Header" and "Program Header"; RISC-V ELF psABI, "File Header".
 */
import { MachineError } from './machine-error.ts';

export interface ElfSegment {
  readonly physicalAddress: number;
  readonly virtualAddress: bigint;
  /** What the file holds of the segment; the rest up to `memoryBytes` is zero. */
  readonly bytes: Uint8Array;
  readonly memoryBytes: number;
}

export interface ElfImage {
  /** Virtual, as the file says. */
  readonly entry: bigint;
  readonly segments: readonly ElfSegment[];
}

const HEADER_BYTES = 64;
const PROGRAM_HEADER_BYTES = 56;
/** Far more than a linker writes; bounds the walk. */
const PROGRAM_HEADERS_MAX = 64;
const CLASS_64 = 2;
const LITTLE_ENDIAN = 1;
const TYPE_EXECUTABLE = 2;
const TYPE_SHARED = 3;
const MACHINE_RISCV = 243;
const SEGMENT_LOAD = 1;

const MACHINE_NAMES: Readonly<Record<number, string>> = {
  3: 'x86 (32-bit)',
  21: 'ppc64',
  22: 's390x',
  40: 'arm (32-bit)',
  62: 'x86-64',
  183: 'arm64',
  258: 'loongarch64',
};

export function isElf(bytes: Uint8Array): boolean {
  return bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46;
}

/** Throws MachineError `machine.image-format` saying what is wrong with the file. */
export function readElf(file: Uint8Array): ElfImage {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  checkHeader(file, view);
  const tableOffset = offset64(view, 32);
  const entryBytes = view.getUint16(54, true);
  const count = view.getUint16(56, true);
  if (entryBytes !== PROGRAM_HEADER_BYTES || count === 0 || count > PROGRAM_HEADERS_MAX) {
    throw badFormat(`the ELF file has an odd program header table (${count} entries of ${entryBytes} bytes)`);
  }
  if (tableOffset + count * PROGRAM_HEADER_BYTES > file.length) throw truncated(file, 'its program headers');

  const segments: ElfSegment[] = [];
  for (let index = 0; index < count; index++) {
    const at = tableOffset + index * PROGRAM_HEADER_BYTES;
    if (view.getUint32(at, true) !== SEGMENT_LOAD) continue;
    const segment = readSegment(file, view, at);
    if (segment.memoryBytes > 0) segments.push(segment);
  }
  if (segments.length === 0) throw badFormat('the ELF file has nothing to load');
  return { entry: view.getBigUint64(24, true), segments };
}

/** The entry point as a physical address. Throws `machine.image-format` if no segment holds it. */
export function entryAddress({ entry, segments }: ElfImage): number {
  const home = segments.find(({ virtualAddress, memoryBytes }) => {
    const offset = entry - virtualAddress;
    return offset >= 0n && offset < BigInt(memoryBytes);
  });
  if (home === undefined) throw badFormat("the ELF file's entry point lies in none of its segments");
  return home.physicalAddress + Number(entry - home.virtualAddress);
}

function checkHeader(file: Uint8Array, view: DataView): void {
  if (!isElf(file)) throw badFormat('not an ELF file');
  if (file.length < HEADER_BYTES) throw truncated(file, 'its header');
  if (file[5] !== LITTLE_ENDIAN)
    throw badFormat('a big-endian ELF file; this machine is little-endian RISC-V');
  const machine = view.getUint16(18, true);
  if (machine !== MACHINE_RISCV) {
    const name = MACHINE_NAMES[machine] ?? `ELF machine ${machine}`;
    throw badFormat(`the image is for ${name}; this machine is 64-bit RISC-V (riscv64)`);
  }
  if (file[4] !== CLASS_64)
    throw badFormat('a 32-bit RISC-V ELF file; this machine is 64-bit RISC-V (riscv64)');
  const type = view.getUint16(16, true);
  if (type !== TYPE_EXECUTABLE && type !== TYPE_SHARED) {
    throw badFormat('the ELF file is not an executable (an object file must be linked first)');
  }
}

function readSegment(file: Uint8Array, view: DataView, at: number): ElfSegment {
  const offset = offset64(view, at + 8);
  const fileBytes = offset64(view, at + 32);
  const memoryBytes = offset64(view, at + 40);
  if (offset + fileBytes > file.length) throw truncated(file, 'a segment');
  if (memoryBytes < fileBytes) throw badFormat('an ELF segment is larger in the file than in memory');
  return {
    physicalAddress: offset64(view, at + 24),
    virtualAddress: view.getBigUint64(at + 16, true),
    bytes: file.subarray(offset, offset + fileBytes),
    memoryBytes,
  };
}

/** A 64-bit field as a number; beyond 2^53 it can't be right, and stays too large for every check. */
function offset64(view: DataView, at: number): number {
  return Number(view.getBigUint64(at, true));
}

function badFormat(message: string): MachineError {
  return new MachineError('machine.image-format', message);
}

function truncated(file: Uint8Array, what: string): MachineError {
  return badFormat(`the ELF file is truncated: its ${file.length} bytes end within ${what}`);
}
