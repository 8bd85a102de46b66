/** How many steps a slice has: by this host's speed, which is measured, and by what the VM is entitled to. */
import type { RunResult } from '@skein/machine';
import type { VmControlBlock } from './control-block.ts';
import { chargedSteps, StepBudget } from './step-budget.ts';

/** Slices last at most half a millisecond (architecture: Steps). */
const sliceNs = 500_000;
const stepsMin = 20_000;
const stepsMax = 1_000_000;
/** So many are run in the shortest slices once a guest has arrived: it is slow at first, and what it says waits for a slice's end. */
const arrivalSteps = 200_000;
/** First guess of this host's speed, corrected by the first slices: steps a nanosecond. */
const firstSpeed = 0.2;
/** A VM that is entitled to nothing is looked at this often. */
const waitMsMax = 250;
const waitMsMin = 0.05;

/** What a slice took. */
export interface SliceTime {
  /** Without what the guest waited for pages. */
  readonly elapsedNs: number;
  readonly cpuNs: number;
}

export class SliceLength {
  readonly #control: Pick<VmControlBlock, 'budgetStepsPerMs' | 'throttlePercent'>;
  readonly #budget: StepBudget;
  #stepsPerNs = firstSpeed;
  #arrivalStepsLeft = 0;

  constructor(control: Pick<VmControlBlock, 'budgetStepsPerMs' | 'throttlePercent'>, nowNs: bigint) {
    this.#control = control;
    this.#budget = new StepBudget(nowNs);
  }

  /** The guest has just come here. */
  arrived(): void {
    this.#arrivalStepsLeft = arrivalSteps;
  }

  get isArriving(): boolean {
    return this.#arrivalStepsLeft > 0;
  }

  /** Of the next slice; null: what it is entitled to is used up, for `waitMs`. */
  steps(nowNs: bigint): number | null {
    const allowed = this.#budget.available(nowNs, this.#stepsPerMs);
    const wanted = this.#wanted;
    return allowed < Math.min(wanted, stepsMin) ? null : Math.min(wanted, allowed);
  }

  get waitMs(): number {
    const stepsPerMs = this.#stepsPerMs;
    const waitMs = stepsPerMs > 0 ? this.#budget.waitMs(stepsMin, stepsPerMs) : waitMsMax;
    return Math.min(waitMsMax, Math.max(waitMsMin, waitMs));
  }

  /** Time inside a slice advances a little slower than the host's, so that the next input need not be clamped; in 2^-32 ticks a step. */
  get ratePerStep(): number {
    const ticksPerStep = 0.01 / this.#stepsPerNs;
    return Math.max(1, Math.floor(ticksPerStep * 0.9 * 2 ** 32));
  }

  took({ steps, deviceTurns }: RunResult, { elapsedNs, cpuNs }: SliceTime): void {
    if (steps >= stepsMin && elapsedNs > 0) {
      this.#stepsPerNs += (Math.min(10, steps / elapsedNs) - this.#stepsPerNs) * 0.1;
    }
    this.#budget.spend(chargedSteps({ steps, deviceTurns, cpuNs }, this.#stepsPerNs));
    this.#arrivalStepsLeft = Math.max(0, this.#arrivalStepsLeft - steps);
  }

  get #wanted(): number {
    if (this.isArriving) return stepsMin;
    return Math.min(stepsMax, Math.max(stepsMin, Math.floor(this.#stepsPerNs * sliceNs)));
  }

  /** What the VM is entitled to, or the part of this host's speed that a migration leaves it. */
  get #stepsPerMs(): number {
    const { budgetStepsPerMs, throttlePercent } = this.#control;
    if (throttlePercent === 0) return budgetStepsPerMs;
    return Math.min(budgetStepsPerMs, this.#stepsPerNs * 1e6 * (1 - throttlePercent / 100));
  }
}
