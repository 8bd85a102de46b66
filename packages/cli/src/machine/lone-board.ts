/** What a lone machine is made of and started with: all that its first state follows from. */
import {
  type BlockBackend,
  bootMachine,
  type CoreModules,
  createDevices,
  createMachineMemory,
  Machine,
  type MachineOutput,
  VIRTIO_SLOTS,
} from '@skein/machine';

/** A slot each are for the random generator, the balloon, and a vNIC. */
export const disksMax = VIRTIO_SLOTS - 3;
export const randomSeedBytes = 64;
const seedBytes = randomSeedBytes / 2;

export interface LoneBoard {
  readonly memoryMib: number;
  /** Kernel, firmware, or firmware that starts the kernel. */
  readonly kernel?: Uint8Array;
  readonly firmware?: Uint8Array;
  readonly initrd?: Uint8Array;
  /** A second archive behind the initial RAM disk, for a root on a disk. */
  readonly diskModules?: Uint8Array;
  readonly bootArguments: string;
  /** Their addresses; at most one. */
  readonly nics: readonly { readonly mac: string }[];
  /** At most `disksMax`; the caller closes them. */
  readonly disks: readonly BlockBackend[];
  /** 64 bytes: one half for the kernel to start with, the other for its random generator's device. */
  readonly randomSeed: Uint8Array;
  /** What its clock says when it starts. */
  readonly rtcEpochSeconds: number;
}

/** @throws MachineError machine.memory-size */
export function createLoneMachine(
  core: CoreModules,
  { memoryMib, nics, disks, randomSeed, rtcEpochSeconds }: LoneBoard,
  emit: (output: MachineOutput) => void,
): Machine {
  return new Machine({
    core,
    memory: createMachineMemory(core, memoryMib),
    memoryMib,
    devices: createDevices({
      nics,
      disks: disks.map((backend) => ({ backend })),
      rtcEpochSeconds,
      rngSeed: randomSeed.subarray(seedBytes),
      hasBalloon: true,
    }),
    emit,
  });
}

/** @throws MachineError machine.image-format, machine.image-too-large */
export function bootLoneMachine(machine: Machine, board: LoneBoard): void {
  const { kernel, firmware, initrd, diskModules, bootArguments, randomSeed } = board;
  bootMachine(machine, {
    bootArguments,
    rngSeed: randomSeed.subarray(0, seedBytes),
    ...(kernel === undefined ? {} : { kernel }),
    ...(firmware === undefined ? {} : { firmware }),
    ...(initrd === undefined ? {} : { initrd: Buffer.concat([initrd, diskModules ?? new Uint8Array()]) }),
  });
}
