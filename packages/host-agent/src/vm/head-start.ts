/**
 * The first steps of a guest that has arrived, taken while its lease passes. Nobody hears of what it does here before the lease is
 * ours: frames and its end are withheld on this thread, its console by the main thread, as that of every VM without a lease. Where the
 * lease goes elsewhere all of it is dropped with the copy. So nobody can tell it from a guest that waited (output commit: Strom and
 * Yemini, ACM TOCS 3(3), 1985; speculation behind withheld output: Remus, NSDI 2008).
 */
import type { RunResult } from '@skein/machine';
import type { GuestClock } from '../core/guest-clock.ts';
import type { VmOutputs } from './vm-outputs.ts';

/** Between which commands are heard: 0.1 to 0.5 ms of a guest that has just arrived. */
const stepsAtOnce = 10_000;
/** Enough for what a guest that slept has to do first, and no more: whether the lease comes is not known. */
const stepsMax = 100_000;
/** A line comes in pieces from the kernel's terminal: behind the first one it is given so many for the rest. */
const lineSteps = 20_000;

type Outputs = Pick<VmOutputs, 'withhold' | 'release' | 'flush' | 'emittedBytes'>;

export class HeadStart {
  readonly #outputs: Outputs;
  #clock: GuestClock | null = null;
  #steps = 0;
  #stepsMax = stepsMax;
  #failure: { readonly error: unknown } | null = null;

  constructor(outputs: Outputs) {
    this.#outputs = outputs;
  }

  /** By which the next steps are to be taken; null: none are. */
  get clock(): GuestClock | null {
    return this.#clock;
  }

  begin(clock: GuestClock): void {
    this.#outputs.withhold();
    this.#clock = clock;
  }

  /** The next steps. That the machine fails in them is withheld as well. */
  go(advance: (steps: number) => RunResult): void {
    try {
      this.#took(advance(Math.min(stepsAtOnce, this.#stepsMax - this.#steps)));
    } catch (error) {
      this.#failure = { error };
      this.#clock = null;
    }
  }

  /** The lease is ours: what was withheld goes out. How many steps were taken. */
  end(): number {
    this.#clock = null;
    this.#outputs.release();
    return this.#steps;
  }

  /** @throws what the machine failed with, when it may be known. */
  raise(): void {
    if (this.#failure !== null) throw this.#failure.error;
  }

  /**
   * It ends soon after the guest's first words, which are all that anybody could wait for, with its first sleep, and where devices took
   * all the time there was: the lease passes on the same processors, and faster without it.
   */
  #took({ steps, reason, deviceTurns }: RunResult): void {
    this.#steps += steps;
    if (this.#outputs.emittedBytes > 0) this.#stepsMax = Math.min(this.#stepsMax, this.#steps + lineSteps);
    this.#outputs.flush();
    const isAwake = reason === 'limit' || (reason === 'attention' && deviceTurns === 0);
    if (!isAwake || this.#steps >= this.#stepsMax) this.#clock = null;
  }
}
