/**
 * Where a batch lies in RAM: the same places on both machines, each program with its own code, data, page tables and
 * record, so that after the run everything a program did can be compared byte by byte.
 */

export const ramBase = 0x8000_0000;
export const ramMib = 64;
/** Programs in a batch: as many as 2 MiB pages of code are set aside for. */
export const slotsMax = 512;

export const codeBytes = 2 * 4096;
export const dataBytes = 4 * 4096;
export const tableBytes = 4 * 4096;
export const descriptorBytes = 1024;
export const recordBytes = 4096;

/** The harness: text first, then its variables. */
export const harnessAddress = ramBase;
export const descriptorBase = ramBase + 0x10_0000;
export const codeBase = ramBase + 0x20_0000;
export const dataBase = ramBase + 0x80_0000;
export const tableBase = ramBase + 0x100_0000;
export const recordBase = ramBase + 0x200_0000;

export const codeAddress = (slot: number): number => codeBase + slot * codeBytes;
export const dataAddress = (slot: number): number => dataBase + slot * dataBytes;
export const tableAddress = (slot: number): number => tableBase + slot * tableBytes;
export const descriptorAddress = (slot: number): number => descriptorBase + slot * descriptorBytes;
export const recordAddress = (slot: number): number => recordBase + slot * recordBytes;

/** The board's power switch: writing this ends QEMU, and the machine. */
export const finisherAddress = 0x10_0000;
export const finisherPass = 0x5555;
export const clintTimerCompare = 0x0200_4000;
