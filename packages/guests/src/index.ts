export { type Assembler, createAssembler } from './assembler/assembler.ts';
export { AssemblyError } from './assembler/assembly-error.ts';
export { type CsrName, csrNumbers } from './assembler/csr.ts';
export { encodeInstruction, type Mnemonic, mnemonics } from './assembler/instruction-table.ts';
export type { RoundingMode } from './assembler/operand.ts';
export { flatImage, type ListingLine, type Program } from './assembler/program.ts';
export type { FRegister, ShortXRegister, XRegister } from './assembler/registers.ts';
export { fRegisters, xRegisters } from './assembler/registers.ts';
export { defaultCacheFolder } from './cache-folder.ts';
export { GuestImageError, type GuestImageErrorCode } from './guest-image-error.ts';
export {
  buildGuestImage,
  ensureGuestImage,
  findGuestImage,
  listGuestImages,
  loadGuestImage,
} from './image.ts';
export { type GuestImageName, guestImageNames, isGuestImageName } from './image-name.ts';
export type { GuestImageOptions } from './image-settings.ts';
export type { GuestImage } from './image-store.ts';
export { readyMarker } from './initramfs/init.ts';
export type { PackageIdentity } from './packages/package.ts';
export {
  buildRootDisk,
  defaultDiskPackages,
  diskSizeMibDefault,
  type RootDisk,
  type RootDiskOptions,
} from './root-disk/root-disk.ts';
export { buildWorkloads, type Workload } from './workloads/index.ts';
export { emitWorkmix, workmixSums } from './workloads/workmix/workmix.ts';
