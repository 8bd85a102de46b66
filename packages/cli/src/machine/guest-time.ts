/** Guest time of a machine that runs alone, against this process's monotonic clock. The time base ticks at 10 MHz. */

export const nsPerTick = 100n;
/** Ticks a step are given in 2^-32. */
const ratePerTick = 2 ** 32;
/** A first guess, corrected by the first slices. */
const firstStepsPerNs = 0.1;
/** Time inside a slice passes a little slower than outside, so that the next reading need not be clamped. */
const slowness = 0.9;
/** A short slice says little about the speed. */
const stepsMin = 10_000;

export class GuestTime {
  readonly #startedNs: bigint;
  #stepsPerNs = firstStepsPerNs;

  /** `ticks`: what the guest's clock shows now. */
  constructor(nowNs: bigint, ticks = 0n) {
    this.#startedNs = nowNs - ticks * nsPerTick;
  }

  ticksAt(nowNs: bigint): bigint {
    return (nowNs - this.#startedNs) / nsPerTick;
  }

  /** How long until the guest's clock reaches `ticks`; 0 when it has. */
  msUntil(ticks: bigint, nowNs: bigint): number {
    const ns = this.#startedNs + ticks * nsPerTick - nowNs;
    return ns > 0n ? Number(ns) / 1e6 : 0;
  }

  get ratePerStep(): number {
    const ticksPerStep = 1 / (this.#stepsPerNs * Number(nsPerTick));
    return Math.max(1, Math.floor(ticksPerStep * ratePerTick * slowness));
  }

  stepsIn(ns: number): number {
    return Math.max(stepsMin, Math.floor(this.#stepsPerNs * ns));
  }

  account(steps: number, elapsedNs: bigint): void {
    if (steps < stepsMin || elapsedNs <= 0n) return;
    this.#stepsPerNs += (steps / Number(elapsedNs) - this.#stepsPerNs) * 0.1;
  }
}
