/**
 * Firmware of the guest's own that starts in M mode at reset, in place of the built-in SBI: an ELF executable where its
 * headers say, anything else byte for byte at the start of RAM. What OpenSBI's "dynamic" firmware asks for in a2, where
 * to go on in S mode, is written for every firmware; others do not look at it.
 * Source: OpenSBI, docs/firmware/fw_dynamic.md and include/sbi/fw_dynamic.h; QEMU 7.2, hw/riscv/boot.c.
 */
import type { BootSegment } from './boot.ts';
import { RAM_BASE_ADDRESS } from './devices/memory-map.ts';
import { entryAddress, isElf, readElf } from './elf.ts';
import { MachineError } from './machine-error.ts';

export interface PlacedFirmware {
  /** Physical address of its first instruction. */
  readonly entry: number;
  readonly segments: readonly BootSegment[];
  /** The first address behind it. */
  readonly end: number;
}

/** "OSBI", little-endian, and the version of the structure. */
const DYNAMIC_MAGIC = 0x4942_534fn;
const DYNAMIC_VERSION = 2n;
const MODE_SUPERVISOR = 1n;

/** @throws MachineError machine.image-format, machine.image-too-large */
export function placeFirmware(file: Uint8Array, ramEnd: number): PlacedFirmware {
  if (file.length === 0) throw new MachineError('machine.image-format', 'the firmware is an empty file');
  const placed = isElf(file) ? placeElf(file) : placeRaw(file);
  const end = Math.max(...placed.segments.map((one) => one.address + one.memoryBytes));
  const start = Math.min(...placed.segments.map((one) => one.address));
  if (start < RAM_BASE_ADDRESS) {
    const message = `the firmware is linked to 0x${start.toString(16)}; RAM begins at 0x${RAM_BASE_ADDRESS.toString(16)}`;
    throw new MachineError('machine.image-format', message);
  }
  if (end > ramEnd) {
    const needed = Math.ceil((end - RAM_BASE_ADDRESS) / 2 ** 20);
    throw new MachineError('machine.image-too-large', `the firmware needs ${needed} MiB of RAM`);
  }
  return { ...placed, end };
}

/** `next`: where the firmware goes on in S mode; 0 for nowhere. */
export function dynamicInformation(next: number): Uint8Array {
  const bootHart = 0n;
  const options = 0n;
  const words = [DYNAMIC_MAGIC, DYNAMIC_VERSION, BigInt(next), MODE_SUPERVISOR, options, bootHart];
  return new Uint8Array(BigUint64Array.from(words).buffer);
}

function placeElf(file: Uint8Array): Omit<PlacedFirmware, 'end'> {
  const elf = readElf(file);
  return {
    entry: entryAddress(elf),
    segments: elf.segments.map((one) => ({
      name: 'firmware',
      address: one.physicalAddress,
      bytes: one.bytes,
      memoryBytes: one.memoryBytes,
    })),
  };
}

function placeRaw(file: Uint8Array): Omit<PlacedFirmware, 'end'> {
  const segment = { name: 'firmware', address: RAM_BASE_ADDRESS, bytes: file, memoryBytes: file.length };
  return { entry: RAM_BASE_ADDRESS, segments: [segment] };
}
