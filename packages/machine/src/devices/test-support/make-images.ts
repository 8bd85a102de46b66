/** Small kernel images for tests, made byte by byte as their formats say. */
import { Buffer } from 'node:buffer';

export interface ElfContent {
  readonly entry: bigint;
  readonly physicalAddress: number;
  readonly virtualAddress?: bigint;
  readonly bytes: Uint8Array;
  readonly memoryBytes: number;
}

/** A RISC-V ELF executable of one segment. */
export function makeElf(content: ElfContent): Uint8Array {
  const file = Buffer.alloc(64 + 56 + content.bytes.length);
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  file.writeUInt16LE(2, 16);
  file.writeUInt16LE(243, 18);
  file.writeUInt32LE(1, 20);
  file.writeBigUInt64LE(content.entry, 24);
  file.writeBigUInt64LE(64n, 32);
  file.writeUInt16LE(64, 52);
  file.writeUInt16LE(56, 54);
  file.writeUInt16LE(1, 56);
  file.writeUInt32LE(1, 64);
  file.writeUInt32LE(7, 68);
  file.writeBigUInt64LE(120n, 72);
  file.writeBigUInt64LE(content.virtualAddress ?? BigInt(content.physicalAddress), 80);
  file.writeBigUInt64LE(BigInt(content.physicalAddress), 88);
  file.writeBigUInt64LE(BigInt(content.bytes.length), 96);
  file.writeBigUInt64LE(BigInt(content.memoryBytes), 104);
  file.set(content.bytes, 120);
  return new Uint8Array(file);
}

/** A RISC-V Image with an EFI stub's headers: one section that reaches to the end of the file. */
export function makeKernelImage(fileBytes: number, memoryBytes: number, peMachine = 0x5064): Uint8Array {
  const file = Buffer.alloc(fileBytes, 0x5a);
  file.fill(0, 0, 0x200);
  file.write('MZ');
  file.writeBigUInt64LE(0x20_0000n, 8);
  file.writeBigUInt64LE(BigInt(memoryBytes), 16);
  file.writeUInt32LE(2, 0x20);
  file.write('RISCV', 0x30);
  file.write('RSC\x05', 0x38);
  writePortableExecutable(file, 0x40, peMachine, fileBytes);
  file.writeUInt32LE(0x40, 0x3c);
  return new Uint8Array(file);
}

/** An EFI zboot image around a compressed payload. */
export function makeZboot(payload: Uint8Array, compression: string, peMachine = 0x5064): Uint8Array {
  const offset = 0x200;
  const file = Buffer.alloc(offset + payload.length + 16);
  file.write('MZ');
  file.write('zimg', 4);
  file.writeUInt32LE(offset, 8);
  file.writeUInt32LE(payload.length, 12);
  file.write(compression, 0x18);
  file.writeUInt32LE(0x40, 0x3c);
  writePortableExecutable(file, 0x40, peMachine, file.length);
  file.set(payload, offset);
  return new Uint8Array(file);
}

function writePortableExecutable(file: Buffer, at: number, machine: number, endOfFile: number): void {
  file.write('PE\0\0', at);
  file.writeUInt16LE(machine, at + 4);
  file.writeUInt16LE(1, at + 6);
  file.writeUInt16LE(0xa0, at + 20);
  const section = at + 24 + 0xa0;
  file.write('.text', section);
  file.writeUInt32LE(endOfFile - 0x180, section + 16);
  file.writeUInt32LE(0x180, section + 20);
}
