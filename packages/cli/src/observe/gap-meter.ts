/** The longest gap of a series of readings while they come: of them all nothing is kept but the figures. */
import type { Reading } from './readings.ts';

export interface MeteredGap {
  readonly gapMs: number;
  /** From the first reading to the last one. */
  readonly windowMs: number;
  readonly readings: number;
  /** Numbers between the lowest and the highest that are missing. */
  readonly lost: number;
}

export class GapMeter {
  #first: Reading | null = null;
  #last: Reading | null = null;
  #longestNs = 0n;
  #count = 0;
  #lowest = Number.POSITIVE_INFINITY;
  #highest = 0;

  /** Null before the first one. */
  get last(): Reading | null {
    return this.#last;
  }

  /** A clock that goes back tells nothing: such a reading is left out. */
  take(reading: Reading): void {
    const { sequence, guestNs } = reading;
    const before = this.#last;
    if (before !== null) {
      if (guestNs < before.guestNs) return;
      if (guestNs - before.guestNs > this.#longestNs) this.#longestNs = guestNs - before.guestNs;
    }
    this.#first ??= reading;
    this.#last = reading;
    this.#count += 1;
    this.#lowest = Math.min(this.#lowest, sequence);
    this.#highest = Math.max(this.#highest, sequence);
  }

  /** Null where there was no reading. */
  get metered(): MeteredGap | null {
    if (this.#first === null || this.#last === null) return null;
    return {
      gapMs: Number(this.#longestNs) / 1e6,
      windowMs: Number(this.#last.guestNs - this.#first.guestNs) / 1e6,
      readings: this.#count,
      // Whoever counts anew from 1 meanwhile says a number twice.
      lost: Math.max(0, this.#highest - this.#lowest + 1 - this.#count),
    };
  }
}
