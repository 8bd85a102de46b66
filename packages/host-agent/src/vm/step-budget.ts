/**
 * A token bucket of steps: what a vCPU may still execute now. It fills at the VM's entitlement and holds at most
 * `burstMs` of it, so that an idle VM answers at once but cannot save up.
 */
const burstMs = 20;

export class StepBudget {
  #tokens = 0;
  #filledAtNs: bigint;

  constructor(nowNs: bigint) {
    this.#filledAtNs = nowNs;
  }

  /** Steps that may run now under `stepsPerMs`. */
  available(nowNs: bigint, stepsPerMs: number): number {
    const elapsedMs = Number(nowNs - this.#filledAtNs) / 1e6;
    this.#filledAtNs = nowNs;
    this.#tokens = Math.min(this.#tokens + elapsedMs * stepsPerMs, burstMs * stepsPerMs);
    return Math.max(0, Math.floor(this.#tokens));
  }

  spend(steps: number): void {
    this.#tokens -= steps;
  }

  /** How long until `steps` are available again, in milliseconds. */
  waitMs(steps: number, stepsPerMs: number): number {
    return Math.max(0, (steps - this.#tokens) / stepsPerMs);
  }
}
