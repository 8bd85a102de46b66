/**
 * How many instructions the measured work has: the same image, memory and line in a machine of our own, counted by its
 * steps. Guest time follows the steps, so the count is the same on every machine; the kernel's timer interrupts are in
 * it, as they are in the time of every side. Guests cannot count for themselves: the kernel keeps `instret` from user
 * code, or shows a counter that other tasks have moved.
 */
import { readFile } from 'node:fs/promises';
import type { GuestImage } from '@skein/guests';
import { bootMachine, createDevices, createMachineMemory, loadCore, Machine } from '@skein/machine';
import { shellIsReady, workBegins, workEnds, workLine } from './workmix-run.ts';

/** Guest time as on a hart that executes a billion instructions a second: one tick of 10 MHz each hundred. */
const ratePerStep = 2 ** 32 / 100;
const sliceSteps = 200_000;
/** A boot has a third of a billion. */
const phaseStepsMax = 200_000_000_000n;

export interface WorkCount {
  readonly instructions: number;
  readonly checksum: string;
}

export async function countWork(
  image: GuestImage,
  memoryMib: number,
  iterations: number,
): Promise<WorkCount> {
  const guest = await CountingGuest.boot(image, memoryMib);
  await guest.runUntil(shellIsReady);
  guest.type(workLine(iterations));
  await guest.runUntil(workBegins);
  const stepsBefore = guest.steps;
  const end = await guest.runUntil(workEnds);
  return { instructions: Number(guest.steps - stepsBefore), checksum: end[1] ?? '' };
}

class CountingGuest {
  readonly #machine: Machine;
  #console = '';

  private constructor(machine: Machine, hear: (print: (text: string) => void) => void) {
    this.#machine = machine;
    hear((text) => {
      this.#console += text;
    });
  }

  static async boot(image: GuestImage, memoryMib: number): Promise<CountingGuest> {
    const [core, kernel, initrd] = await Promise.all([
      loadCore(),
      readFile(image.kernelPath),
      readFile(image.initrdPath),
    ]);
    let print: (text: string) => void = () => {};
    const machine = new Machine({
      core,
      memory: createMachineMemory(core, memoryMib),
      memoryMib,
      devices: createDevices({ nics: [], rtcEpochSeconds: 0 }),
      emit: (output) => {
        if (output.type === 'console') print(Buffer.from(output.bytes).toString('latin1'));
      },
    });
    bootMachine(machine, {
      kernel,
      initrd,
      bootArguments: image.defaultBootArguments,
      rngSeed: new Uint8Array(32),
    });
    machine.apply({ type: 'time', guestTicks: 0n, ratePerStep });
    return new CountingGuest(machine, (hear) => {
      print = hear;
    });
  }

  get steps(): bigint {
    return this.#machine.steps;
  }

  type(line: string): void {
    this.#console = '';
    this.#machine.apply({ type: 'console', bytes: Buffer.from(`${line}\n`, 'latin1') });
  }

  async runUntil(pattern: RegExp): Promise<RegExpExecArray> {
    const stepsMax = this.steps + phaseStepsMax;
    for (;;) {
      const { reason } = this.#machine.run(sliceSteps);
      const match = pattern.exec(this.#console);
      if (match !== null) return match;
      if (reason === 'idle') this.#passTime();
      if (reason === 'halt' || this.steps > stepsMax) {
        throw new Error(
          `the counting guest did not show ${pattern}; its console ends: ${this.#console.slice(-500)}`,
        );
      }
      // For Ctrl-C.
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
  }

  /** An idle hart has no steps: its clock is moved to what it waits for. */
  #passTime(): void {
    const wake = this.#machine.wake();
    if (wake.kind === 'at') {
      this.#machine.apply({ type: 'time', guestTicks: wake.guestTicks, ratePerStep });
    } else if (wake.kind === 'never') {
      throw new Error('the counting guest sleeps for ever');
    }
  }
}
