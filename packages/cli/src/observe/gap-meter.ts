/** The longest gap of a series of readings while they come: of them all nothing is kept but the figures. */
import type { Reading } from './readings.ts';

export interface MeteredGap {
  readonly gapMs: number;
  /** From the first reading to the last one. */
  readonly windowMs: number;
  readonly readings: number;
  /** Numbers that are missing between the first and the last one. */
  readonly lost: number;
}

/** Answers overtake each other by less; whoever falls back by more counts anew. */
const overtakenMax = 64;

/** Readings that one program numbered. */
interface Count {
  lowest: number;
  highest: number;
  readings: number;
}

export class GapMeter {
  #first: Reading | null = null;
  #last: Reading | null = null;
  #longestNs = 0n;
  readonly #counts: Count[] = [];

  /** Null before the first one. */
  get last(): Reading | null {
    return this.#last;
  }

  /** False for a reading that is left out: a clock that goes back tells nothing of the time that passed. */
  take(reading: Reading): boolean {
    const before = this.#last;
    if (before !== null) {
      const gapNs = reading.guestNs - before.guestNs;
      if (gapNs < 0n) return false;
      if (gapNs > this.#longestNs) this.#longestNs = gapNs;
    }
    this.#first ??= reading;
    this.#last = reading;
    this.#countIn(reading.sequence);
    return true;
  }

  /** Null where there was no reading. */
  get metered(): MeteredGap | null {
    if (this.#first === null || this.#last === null) return null;
    const sum = (of: (count: Count) => number): number =>
      this.#counts.reduce((total, count) => total + of(count), 0);
    return {
      gapMs: Number(this.#longestNs) / 1e6,
      windowMs: Number(this.#last.guestNs - this.#first.guestNs) / 1e6,
      readings: sum(({ readings }) => readings),
      lost: sum(({ lowest, highest, readings }) => Math.max(0, highest - lowest + 1 - readings)),
    };
  }

  #countIn(sequence: number): void {
    const count = this.#counts.at(-1);
    if (count === undefined || sequence < count.highest - overtakenMax) {
      this.#counts.push({ lowest: sequence, highest: sequence, readings: 1 });
      return;
    }
    count.lowest = Math.min(count.lowest, sequence);
    count.highest = Math.max(count.highest, sequence);
    count.readings += 1;
  }
}
