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

/** What a slice took. */
export interface SliceCost {
  readonly steps: number;
  /** CPU time of the vCPU's thread. */
  readonly cpuNs: number;
  /** How often devices worked in it. */
  readonly deviceTurns: number;
}

/**
 * Steps that a slice is charged with: what it executed, or, where devices worked for the guest, as many as the vCPU would
 * have executed in that CPU time. So a driver that kicks without end gets no more of the host than a loop does.
 */
export function chargedSteps({ steps, cpuNs, deviceTurns }: SliceCost, stepsPerNs: number): number {
  return deviceTurns === 0 ? steps : Math.max(steps, Math.floor(cpuNs * stepsPerNs));
}
