/**
 * Recognises a kernel as Linux distributions ship it and unwraps it: a raw RISC-V Image, one in gzip or zstd, an EFI
 * zboot image (gzip or zstd inside), or an ELF executable. Everything a header says is checked against the file.
 * Source: Linux, Documentation/arch/riscv/boot-image-header.rst and drivers/firmware/efi/libstub/zboot-header.S;
 * Microsoft PE format, "COFF File Header" and "Section Table".
 */
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { type ElfImage, isElf, readElf } from './elf.ts';
import { MachineError } from './machine-error.ts';

/** `layers` names what was unwrapped, outermost first: ["zboot", "gzip"]. */
export type KernelImage =
  | { readonly format: 'image'; readonly layers: readonly string[]; readonly image: RawImage }
  | { readonly format: 'elf'; readonly layers: readonly string[]; readonly elf: ElfImage };

export interface RawImage {
  readonly bytes: Uint8Array;
  /** What the kernel occupies once it runs, its zeroed data included. */
  readonly memoryBytes: number;
}

const IMAGE_HEADER_BYTES = 64;
const IMAGE_SIZE_OFFSET = 16;
const IMAGE_FLAGS_OFFSET = 24;
const IMAGE_MAGIC_OFFSET = 0x38;
const RISCV_MAGIC = 0x0543_5352;
const ARM64_MAGIC = 0x644d_5241;
const FLAG_BIG_ENDIAN = 1n;
const X86_SETUP_MAGIC_OFFSET = 0x202;
const X86_SETUP_MAGIC = 0x5372_6448;
const PE_OFFSET_OFFSET = 0x3c;
const PE_MAGIC = 0x0000_4550;
const PE_HEADER_BYTES = 24;
const PE_SECTION_BYTES = 40;
const PE_MACHINE_RISCV64 = 0x5064;
const PE_MACHINE_NAMES: Readonly<Record<number, string>> = {
  332: 'x86 (32-bit)',
  34404: 'x86-64',
  43620: 'arm64',
  20530: '32-bit RISC-V',
  25188: 'loongarch64',
};
const ZBOOT_HEADER_BYTES = 0x40;
const ZBOOT_MAGIC = 0x676d_697a;
const ZBOOT_COMPRESSION_OFFSET = 0x18;
/** A zboot image in gzip in gzip is one too many. */
const LAYERS_MAX = 3;

/**
 * `sizeBytesMax` bounds what a compressed image may unpack to. Throws MachineError `machine.image-format` or
 * `machine.image-too-large`.
 */
export function readKernelImage(file: Uint8Array, sizeBytesMax: number): KernelImage {
  const layers: string[] = [];
  let bytes = file;
  while (layers.length <= LAYERS_MAX) {
    if (isElf(bytes)) return { format: 'elf', layers, elf: readElf(bytes) };
    if (isZboot(bytes)) {
      bytes = zbootPayload(bytes);
      layers.push('zboot');
    } else if (isGzip(bytes)) {
      bytes = unpack('gzip', bytes, sizeBytesMax);
      layers.push('gzip');
    } else if (isZstd(bytes)) {
      bytes = unpack('zstd', bytes, sizeBytesMax);
      layers.push('zstd');
    } else {
      return { format: 'image', layers, image: readRawImage(bytes) };
    }
  }
  throw badFormat(`the kernel is packed more than ${LAYERS_MAX} times over (${layers.join(', ')})`);
}

function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

function isZstd(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && viewOf(bytes).getUint32(0, true) === 0xfd2f_b528;
}

function isPe(bytes: Uint8Array): boolean {
  return bytes[0] === 0x4d && bytes[1] === 0x5a;
}

function isZboot(bytes: Uint8Array): boolean {
  return (
    bytes.length >= ZBOOT_HEADER_BYTES && isPe(bytes) && viewOf(bytes).getUint32(4, true) === ZBOOT_MAGIC
  );
}

function zbootPayload(bytes: Uint8Array): Uint8Array {
  const view = viewOf(bytes);
  checkPortableExecutable(bytes, view);
  const offset = view.getUint32(8, true);
  const length = view.getUint32(12, true);
  if (offset < ZBOOT_HEADER_BYTES || offset + length > bytes.length) {
    throw badFormat(
      `the EFI zboot image is truncated: ${bytes.length} bytes of the ${offset + length} that it needs`,
    );
  }
  const payload = bytes.subarray(offset, offset + length);
  if (isGzip(payload) || isZstd(payload)) return payload;
  const field = bytes.subarray(ZBOOT_COMPRESSION_OFFSET, ZBOOT_COMPRESSION_OFFSET + 8);
  const name = String.fromCharCode(...field).replace(/[^a-z0-9].*$/s, '');
  throw badFormat(`the EFI zboot image is compressed with "${name}"; gzip and zstd are understood`);
}

function unpack(method: 'gzip' | 'zstd', bytes: Uint8Array, maxOutputLength: number): Uint8Array {
  try {
    return method === 'gzip'
      ? gunzipSync(bytes, { maxOutputLength })
      : zstdDecompressSync(bytes, { maxOutputLength });
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ERR_BUFFER_TOO_LARGE') {
      throw new MachineError(
        'machine.image-too-large',
        `the kernel unpacks to more than the ${Math.floor(maxOutputLength / 2 ** 20)} MiB that fit into RAM`,
        { cause },
      );
    }
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new MachineError(
      'machine.image-format',
      `the kernel's ${method} data is damaged or truncated: ${reason}`,
      { cause },
    );
  }
}

function readRawImage(bytes: Uint8Array): RawImage {
  const view = viewOf(bytes);
  if (bytes.length < IMAGE_HEADER_BYTES) {
    throw badFormat(`not a kernel image: ${bytes.length} bytes are less than a header`);
  }
  const magic = view.getUint32(IMAGE_MAGIC_OFFSET, true);
  if (magic !== RISCV_MAGIC) throw notRiscv(bytes, view, magic);
  if ((view.getBigUint64(IMAGE_FLAGS_OFFSET, true) & FLAG_BIG_ENDIAN) !== 0n) {
    throw badFormat('a big-endian RISC-V kernel; this machine is little-endian');
  }
  if (isPe(bytes)) checkPortableExecutable(bytes, view);
  const memoryBytes = Number(view.getBigUint64(IMAGE_SIZE_OFFSET, true));
  return { bytes, memoryBytes: Math.max(memoryBytes, bytes.length) };
}

/** Architecture and length by the EFI stub's headers: the section table says where the file must end. */
function checkPortableExecutable(bytes: Uint8Array, view: DataView): void {
  const at = view.getUint32(PE_OFFSET_OFFSET, true);
  if (at + PE_HEADER_BYTES > bytes.length) {
    throw badFormat(`the kernel image is truncated: its ${bytes.length} bytes end within its headers`);
  }
  if (view.getUint32(at, true) !== PE_MAGIC) return;
  const machine = view.getUint16(at + 4, true);
  if (machine !== PE_MACHINE_RISCV64) throw wrongArchitecture(machine);
  const sections = view.getUint16(at + 6, true);
  const table = at + PE_HEADER_BYTES + view.getUint16(at + 20, true);
  let endOfFile = table + sections * PE_SECTION_BYTES;
  for (let index = 0; index < sections && endOfFile <= bytes.length; index++) {
    const section = table + index * PE_SECTION_BYTES;
    const sizeBytes = view.getUint32(section + 16, true);
    const offset = view.getUint32(section + 20, true);
    if (sizeBytes > 0) endOfFile = Math.max(endOfFile, offset + sizeBytes);
  }
  if (endOfFile > bytes.length) {
    throw badFormat(
      `the kernel image is truncated: ${bytes.length} bytes of the ${endOfFile} that its headers name`,
    );
  }
}

function notRiscv(bytes: Uint8Array, view: DataView, magic: number): MachineError {
  if (magic === ARM64_MAGIC) return wrongArchitecture(0xaa64);
  if (
    bytes.length >= X86_SETUP_MAGIC_OFFSET + 4 &&
    view.getUint32(X86_SETUP_MAGIC_OFFSET, true) === X86_SETUP_MAGIC
  ) {
    return wrongArchitecture(0x8664);
  }
  if (isPe(bytes)) {
    const at = view.getUint32(PE_OFFSET_OFFSET, true);
    if (at + PE_HEADER_BYTES <= bytes.length && view.getUint32(at, true) === PE_MAGIC) {
      const machine = view.getUint16(at + 4, true);
      if (machine !== PE_MACHINE_RISCV64) return wrongArchitecture(machine);
    }
  }
  return badFormat(
    'not a kernel image: neither a RISC-V Image (plain, gzip, zstd or EFI zboot) nor an ELF executable',
  );
}

function wrongArchitecture(machine: number): MachineError {
  const name = PE_MACHINE_NAMES[machine] ?? `PE machine 0x${machine.toString(16)}`;
  return badFormat(`the image is for ${name}; this machine is 64-bit RISC-V (riscv64)`);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function badFormat(message: string): MachineError {
  return new MachineError('machine.image-format', message);
}
