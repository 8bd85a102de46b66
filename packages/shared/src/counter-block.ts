/**
 * Counters in shared memory: one thread counts, any other reads at any moment, and nobody is asked. 64 bits each;
 * a reader gets numbers, which are exact up to 2^53.
 */
import { invariant } from './invariant.ts';

const wordBytes = 8;

export class CounterBlock<N extends string> {
  readonly buffer: SharedArrayBuffer;
  readonly #names: readonly N[];
  readonly #words: BigInt64Array<SharedArrayBuffer>;
  readonly #places: ReadonlyMap<N, number>;

  /** All threads name the same counters in the same order; `buffer` is of the thread that made the block. */
  constructor(names: readonly N[], buffer = new SharedArrayBuffer(names.length * wordBytes)) {
    invariant(buffer.byteLength === names.length * wordBytes, 'a counter block has a word for each name');
    this.buffer = buffer;
    this.#names = names;
    this.#words = new BigInt64Array(buffer);
    this.#places = new Map(names.map((name, place) => [name, place]));
  }

  /** `by` is a whole number. */
  add(name: N, by = 1): void {
    Atomics.add(this.#words, this.#place(name), BigInt(by));
  }

  /** For a figure that is no count. */
  set(name: N, value: bigint): void {
    Atomics.store(this.#words, this.#place(name), value);
  }

  read(name: N): number {
    return Number(Atomics.load(this.#words, this.#place(name)));
  }

  /** Each of them; not at one moment. */
  readAll(): Record<N, number> {
    return Object.fromEntries(this.#names.map((name) => [name, this.read(name)])) as Record<N, number>;
  }

  #place(name: N): number {
    const place = this.#places.get(name);
    invariant(place !== undefined, `the block has a counter ${name}`);
    return place;
  }
}
