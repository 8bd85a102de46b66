/** What a lone machine is made of and started with: all that its first state follows from. */
import {
  bootMachine,
  type CoreModules,
  createDevices,
  createMachineMemory,
  Machine,
  type MachineOutput,
} from '@skein/machine';

export interface LoneBoard {
  readonly memoryMib: number;
  /** Kernel, firmware, or firmware that starts the kernel. */
  readonly kernel?: Uint8Array;
  readonly firmware?: Uint8Array;
  readonly initrd?: Uint8Array;
  readonly bootArguments: string;
  /** 32 bytes for the kernel's random generator. */
  readonly randomSeed: Uint8Array;
  /** What its clock says when it starts. */
  readonly rtcEpochSeconds: number;
}

/** @throws MachineError machine.memory-size */
export function createLoneMachine(
  core: CoreModules,
  { memoryMib, rtcEpochSeconds }: LoneBoard,
  emit: (output: MachineOutput) => void,
): Machine {
  return new Machine({
    core,
    memory: createMachineMemory(core, memoryMib),
    memoryMib,
    devices: createDevices({ nics: [], rtcEpochSeconds }),
    emit,
  });
}

/** @throws MachineError machine.image-format, machine.image-too-large */
export function bootLoneMachine(machine: Machine, board: LoneBoard): void {
  const { kernel, firmware, initrd, bootArguments, randomSeed } = board;
  bootMachine(machine, {
    bootArguments,
    rngSeed: randomSeed,
    ...(kernel === undefined ? {} : { kernel }),
    ...(firmware === undefined ? {} : { firmware }),
    ...(initrd === undefined ? {} : { initrd }),
  });
}
