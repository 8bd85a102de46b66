/**
 * Where a guest that is to be moved is stopped: when it has just gone to sleep, if that can be had soon. What it would have slept
 * anyway it does not miss, and what it was about to say it has said. A pure decision; the vCPU's loop carries it out.
 */

/** At most so much later than asked for; its pages go on changing meanwhile. */
const patienceNs = 1_500_000n;
/** One that has not slept for so long will not sleep soon either, and is not waited for. */
const restlessNs = 3_000_000n;

/** As the loop has it between two slices. */
export interface GuestMoment {
  readonly nowNs: bigint;
  /** It waits for something. */
  readonly isAsleep: boolean;
  /** When its own timer wakes it, on the host's clock; null: none will, or it is awake. */
  readonly wakesAtNs: bigint | null;
}

export class SuspensionPoint {
  #deadlineNs: bigint | null = null;
  #hasWorked = false;
  #idleAtNs = 0n;

  /** A slice; `isIdle`: it ended where the guest waits for something. */
  took(steps: number, isIdle: boolean, nowNs: bigint): void {
    if (isIdle) this.#idleAtNs = nowNs;
    if (steps > 0) this.#hasWorked = true;
  }

  /** From now on it is looked for. `isAsleep`: the guest waits for something. */
  ask(nowNs: bigint, isAsleep: boolean): void {
    const isRestless = !isAsleep && nowNs - this.#idleAtNs > restlessNs;
    this.#deadlineNs = isRestless ? nowNs : nowNs + patienceNs;
    this.#hasWorked = false;
  }

  /** The guest cannot go on for now: it is here, if it was asked for. False if it was not. */
  hasten(nowNs: bigint): boolean {
    if (this.#deadlineNs === null) return false;
    this.#deadlineNs = nowNs;
    return true;
  }

  /** When it is there at the latest; null: nobody asked for it. */
  get deadlineNs(): bigint | null {
    return this.#deadlineNs;
  }

  /** Whether it is to be stopped now. One that sleeps for longer than we would wait is, and one that is about to wake has that behind it first. */
  isHere({ nowNs, isAsleep, wakesAtNs }: GuestMoment): boolean {
    if (this.#deadlineNs === null) return false;
    if (nowNs >= this.#deadlineNs) return true;
    return isAsleep && (this.#hasWorked || wakesAtNs === null || wakesAtNs >= this.#deadlineNs);
  }

  /** It was stopped. */
  reached(): void {
    this.#deadlineNs = null;
  }
}
