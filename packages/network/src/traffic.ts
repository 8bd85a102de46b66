/** Counters of a port or of the uplink: what passed in each direction, and what was dropped for which reason. */
import type { DropReason } from './forward.ts';

export interface FlowCounters {
  readonly frames: number;
  readonly bytes: number;
}

/** Directions as the switch sees them: `in` came from the guest or from peers, `out` went to them. */
export interface TrafficCounters {
  readonly in: FlowCounters;
  readonly out: FlowCounters;
  /** Only reasons that occurred. */
  readonly dropped: Readonly<Partial<Record<DropReason, number>>>;
}

export class Traffic {
  readonly #in = { frames: 0, bytes: 0 };
  readonly #out = { frames: 0, bytes: 0 };
  readonly #dropped: Partial<Record<DropReason, number>> = {};

  countIn(bytes: number): void {
    this.#in.frames += 1;
    this.#in.bytes += bytes;
  }

  countOut(bytes: number): void {
    this.#out.frames += 1;
    this.#out.bytes += bytes;
  }

  countDropped(reason: DropReason): void {
    this.#dropped[reason] = (this.#dropped[reason] ?? 0) + 1;
  }

  counters(): TrafficCounters {
    return { in: { ...this.#in }, out: { ...this.#out }, dropped: { ...this.#dropped } };
  }
}
