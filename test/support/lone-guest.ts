/** A guest in this process, without any cluster: its machine, its console, and a clock that follows its steps. */
import { readFileSync } from 'node:fs';
import type { GuestImage } from '@skein/guests';
import {
  bootMachine,
  type CoreModules,
  createDevices,
  createMachineMemory,
  type DeviceOptions,
  Machine,
  type MachineInput,
} from '@skein/machine';

/** A hart of 100 million steps a second. */
export const ratePerStep = Math.floor(2 ** 32 / 10);
const stepsMax = 1_500_000_000n;

export interface LoneGuestOptions {
  readonly core: CoreModules;
  readonly memoryMib: number;
  readonly devices: DeviceOptions;
  /** Another memory than a fresh one of that size. */
  readonly memory?: WebAssembly.Memory;
}

type Board = ReturnType<ReturnType<typeof createDevices>>;

export class LoneGuest {
  readonly machine: Machine;
  readonly board: Board;
  console = '';
  /** Sent and not taken yet. */
  readonly frames: Uint8Array[] = [];

  constructor({ core, memoryMib, devices, memory }: LoneGuestOptions) {
    const boards: Board[] = [];
    this.machine = new Machine({
      core,
      memory: memory ?? createMachineMemory(core, memoryMib),
      memoryMib,
      devices: (environmentFor) => {
        const made = createDevices(devices)(environmentFor);
        boards.push(made);
        return made;
      },
      emit: (output) => {
        if (output.type === 'console') this.console += Buffer.from(output.bytes).toString('latin1');
        if (output.type === 'frame') this.frames.push(output.frame.slice());
      },
    });
    const [board] = boards;
    if (board === undefined) throw new Error('the machine asked for no devices');
    this.board = board;
  }

  boot(image: GuestImage, bootArguments = ''): void {
    const { initrdPath, diskModulesPath } = image;
    const hasDisk = this.board.disks.length > 0 && diskModulesPath !== null;
    bootMachine(this.machine, {
      kernel: readFileSync(image.kernelPath),
      initrd: Buffer.concat(
        [initrdPath, ...(hasDisk ? [diskModulesPath] : [])].map((path) => readFileSync(path)),
      ),
      bootArguments: `${image.defaultBootArguments} ${bootArguments}`.trim(),
      rngSeed: new Uint8Array(32).fill(7),
    });
  }

  /** While it waits, time is moved to what it waits for. Throws when nothing of that kind happens. */
  runUntil(
    isReached: () => boolean,
    apply = (input: MachineInput): void => this.machine.apply(input),
    sliceSteps = 100_000,
  ): void {
    const end = this.machine.steps + stepsMax;
    apply({ type: 'time', guestTicks: this.machine.guestTimeTicks(), ratePerStep });
    while (!isReached()) {
      const { reason } = this.machine.run(sliceSteps);
      const wake = this.machine.wake();
      if (reason === 'idle' && wake.kind === 'at')
        apply({ type: 'time', guestTicks: wake.guestTicks, ratePerStep });
      if (this.machine.steps > end || reason === 'halt')
        throw new Error(`not reached; the console ends: ${this.console.slice(-300)}`);
    }
  }

  /** Types a command and returns what it prints. */
  ask(command: string, apply = (input: MachineInput): void => this.machine.apply(input)): string {
    const from = this.console.length;
    apply(typed(`echo $((${from} + 1))begin; ${command}; echo $((${from} + 1))end\n`));
    // The shell's echo of the line has the sums, not what they come to.
    const pattern = new RegExp(`^${from + 1}begin\\r?\\n([^]*?)${from + 1}end\\r?$`, 'm');
    let printed: string | undefined;
    this.runUntil(() => {
      printed = pattern.exec(this.console.slice(from))?.[1];
      return printed !== undefined;
    }, apply);
    return (printed ?? '').replaceAll('\r', '');
  }
}

export function typed(text: string): MachineInput {
  return { type: 'console', bytes: new Uint8Array(Buffer.from(text)) };
}

export function isReady(guest: LoneGuest): boolean {
  return /skein-guest: ready \w+\r?\n.*# /s.test(guest.console);
}
