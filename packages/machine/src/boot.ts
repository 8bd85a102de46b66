/**
 * Plans where kernel, initial RAM disk and device tree go in RAM, as QEMU's virt board places them: the kernel 2 MiB
 * above the start of RAM, the device tree at the top of what 32-bit firmware reaches, the RAM disk right below it;
 * firmware of the guest's own at the start. Writes nothing itself: the machine loads the segments and starts its hart
 * with a0 = hart id, a1 = device tree.
 * Source: Linux, Documentation/arch/riscv/boot.rst; QEMU 7.2, hw/riscv/boot.c.
 */
import { describeBoard } from './device-tree.ts';
import { RAM_BASE_ADDRESS } from './devices/memory-map.ts';
import { type ElfImage, entryAddress } from './elf.ts';
import { dynamicInformation, type PlacedFirmware, placeFirmware } from './firmware-image.ts';
import { readKernelImage } from './kernel-image.ts';
import { MachineError } from './machine-error.ts';

export interface BootOptions {
  /** A RISC-V Image (plain, gzip, zstd or EFI zboot) or an ELF executable. Firmware may do without. */
  readonly kernel?: Uint8Array;
  /** Starts in M mode instead of the built-in SBI: an ELF executable, or raw bytes for the start of RAM. */
  readonly firmware?: Uint8Array;
  readonly initrd?: Uint8Array;
  readonly memoryMib: number;
  /** The kernel's command line. */
  readonly bootArguments: string;
  /** Entropy for the kernel's random generator. */
  readonly rngSeed?: Uint8Array;
}

export interface BootSegment {
  readonly name: string;
  readonly address: number;
  readonly bytes: Uint8Array;
  /** At least `bytes.length`; the rest is zero. */
  readonly memoryBytes: number;
}

export interface BootPlan {
  readonly segments: readonly BootSegment[];
  /** Where the hart starts: firmware in M mode, or else the kernel in S mode. */
  readonly entry: number;
  readonly mode: 'machine' | 'supervisor';
  /** Where firmware finds the kernel's address (a2). */
  readonly dynamicInformationAddress?: number;
  readonly deviceTreeAddress: number;
  readonly deviceTree: Uint8Array;
  readonly initrd?: { readonly start: number; readonly end: number };
  /** How the kernel was packed: "image", "gzip image", "zboot gzip image", "elf"; "none". */
  readonly kernelFormat: string;
}

/** Also the kernel's alignment: it maps itself by 2 MiB pages. */
export const KERNEL_OFFSET_BYTES = 0x20_0000;
const LARGE_PAGE_BYTES = 0x20_0000;
/** In the page of the device tree, which firmware may let grow, and far behind it. */
const DYNAMIC_INFORMATION_OFFSET_BYTES = 0x1f_0000;
const PAGE_BYTES = 4096;
const MIB = 2 ** 20;
/** Firmware and early kernels reach the device tree with 32-bit addresses: QEMU keeps it below 3 GiB. */
const DEVICE_TREE_END_MAX = 0xc000_0000;
/** COMMAND_LINE_SIZE of riscv, its ending zero included. */
const BOOT_ARGUMENTS_BYTES_MAX = 1023;

/**
 * Throws MachineError `machine.image-format`, `machine.image-too-large` (it says how much RAM is needed) or
 * `machine.boot-arguments`.
 */
export function planBoot(options: BootOptions): BootPlan {
  const { memoryMib, initrd, bootArguments, rngSeed } = options;
  checkBootArguments(bootArguments);
  const ramEnd = RAM_BASE_ADDRESS + memoryMib * MIB;
  const kernel = options.kernel === undefined ? undefined : placeKernel(options.kernel, ramEnd);
  const firmware = options.firmware === undefined ? undefined : placeFirmware(options.firmware, ramEnd);
  const started = firmware ?? kernel;
  if (started === undefined)
    throw new MachineError('machine.image-format', 'there is neither a kernel nor firmware');
  if (firmware !== undefined && kernel !== undefined) checkApart(firmware, kernel);

  const initrdBytes = initrd?.length ?? 0;
  const deviceTreeAddress =
    alignDown(Math.min(ramEnd, DEVICE_TREE_END_MAX), LARGE_PAGE_BYTES) - LARGE_PAGE_BYTES;
  const initrdStart = alignDown(deviceTreeAddress - initrdBytes, PAGE_BYTES);
  const imagesEnd = Math.max(kernel?.end ?? 0, firmware?.end ?? 0);
  if (initrdStart < imagesEnd) throw tooLarge(imagesEnd, initrdBytes, memoryMib);

  const initrdRange = initrd && { start: initrdStart, end: initrdStart + initrdBytes };
  const deviceTree = describeBoard({
    memoryMib,
    bootArguments,
    ...(initrdRange && { initrd: initrdRange }),
    ...(rngSeed && { rngSeed }),
  });
  const dynamicInformationAddress = deviceTreeAddress + DYNAMIC_INFORMATION_OFFSET_BYTES;
  return {
    segments: [
      ...(firmware?.segments ?? []),
      ...(kernel?.segments ?? []),
      ...(initrd ? [segment('initrd', initrdStart, initrd)] : []),
      segment('device-tree', deviceTreeAddress, deviceTree),
      ...(firmware
        ? [segment('dynamic-information', dynamicInformationAddress, dynamicInformation(kernel?.entry ?? 0))]
        : []),
    ],
    entry: started.entry,
    mode: firmware === undefined ? 'supervisor' : 'machine',
    ...(firmware && { dynamicInformationAddress }),
    deviceTreeAddress,
    deviceTree,
    ...(initrdRange && { initrd: initrdRange }),
    kernelFormat: kernel?.format ?? 'none',
  };
}

interface PlacedKernel {
  /** Physical. */
  readonly entry: number;
  readonly segments: readonly BootSegment[];
  readonly end: number;
  readonly format: string;
}

function placeKernel(file: Uint8Array, ramEnd: number): PlacedKernel {
  const kernelAddress = RAM_BASE_ADDRESS + KERNEL_OFFSET_BYTES;
  const kernel = readKernelImage(file, Math.max(ramEnd - kernelAddress, MIB));
  const placed =
    kernel.format === 'elf'
      ? placeElf(kernel.elf)
      : { entry: kernelAddress, segments: [{ name: 'kernel', address: kernelAddress, ...kernel.image }] };
  const end = Math.max(...placed.segments.map((one) => one.address + one.memoryBytes));
  return { ...placed, end, format: [...kernel.layers, kernel.format].join(' ') };
}

/** Firmware must not be overwritten by what it is to start. */
function checkApart(firmware: PlacedFirmware, kernel: PlacedKernel): void {
  const start = Math.min(...kernel.segments.map((one) => one.address));
  if (firmware.end <= start || Math.min(...firmware.segments.map((one) => one.address)) >= kernel.end) return;
  throw new MachineError(
    'machine.image-too-large',
    `the firmware ends at 0x${firmware.end.toString(16)}, behind the start of the kernel at 0x${start.toString(16)}: ` +
      'firmware that is to start a kernel must be smaller, or bring it along and be given alone',
  );
}

function checkBootArguments(bootArguments: string): void {
  const lengthBytes = new TextEncoder().encode(bootArguments).length;
  if (lengthBytes > BOOT_ARGUMENTS_BYTES_MAX || bootArguments.includes('\0')) {
    throw new MachineError(
      'machine.boot-arguments',
      `the kernel's command line has ${lengthBytes} bytes; at most ${BOOT_ARGUMENTS_BYTES_MAX}, none of them zero`,
    );
  }
}

/** Where an ELF file says; a kernel linked to physical address 0 is moved to where kernels go. */
function placeElf(elf: ElfImage): { entry: number; segments: BootSegment[] } {
  const lowest = Math.min(...elf.segments.map((one) => one.physicalAddress));
  const bias =
    lowest < RAM_BASE_ADDRESS
      ? RAM_BASE_ADDRESS + KERNEL_OFFSET_BYTES - alignDown(lowest, LARGE_PAGE_BYTES)
      : 0;
  return {
    entry: entryAddress(elf) + bias,
    segments: elf.segments.map((one) => ({
      name: 'kernel',
      address: one.physicalAddress + bias,
      bytes: one.bytes,
      memoryBytes: one.memoryBytes,
    })),
  };
}

function segment(name: string, address: number, bytes: Uint8Array): BootSegment {
  return { name, address, bytes, memoryBytes: bytes.length };
}

function tooLarge(kernelEnd: number, initrdBytes: number, memoryMib: number): MachineError {
  const end = alignUp(kernelEnd + alignUp(initrdBytes, PAGE_BYTES), LARGE_PAGE_BYTES) + LARGE_PAGE_BYTES;
  const neededMib = Math.ceil((end - RAM_BASE_ADDRESS) / MIB);
  const parts = initrdBytes > 0 ? 'kernel, initial RAM disk and device tree' : 'kernel and device tree';
  const advice =
    end > DEVICE_TREE_END_MAX
      ? `they must end below 0x${DEVICE_TREE_END_MAX.toString(16)}`
      : `at least ${neededMib} MiB are needed, and the kernel needs more to run`;
  return new MachineError(
    'machine.image-too-large',
    `${parts} do not fit into ${memoryMib} MiB of RAM: ${advice}`,
  );
}

function alignDown(value: number, alignment: number): number {
  return Math.floor(value / alignment) * alignment;
}

function alignUp(value: number, alignment: number): number {
  return Math.ceil(value / alignment) * alignment;
}
