/**
 * A word in shared memory on which one thread waits and others ring: a counter, so that a ring between looking
 * and waiting is never lost. One doorbell may serve many rings. Source: ECMAScript "The Atomics Object".
 */
import { invariant } from '@skein/shared';

export class Doorbell {
  readonly #words: Int32Array<SharedArrayBuffer>;

  private constructor(words: Int32Array<SharedArrayBuffer>) {
    this.#words = words;
  }

  static create(): Doorbell {
    return new Doorbell(new Int32Array(new SharedArrayBuffer(4)));
  }

  /** `byteOffset` must be a multiple of 4. */
  static attach(buffer: SharedArrayBuffer, byteOffset = 0): Doorbell {
    const fits = byteOffset % 4 === 0 && byteOffset >= 0 && byteOffset + 4 <= buffer.byteLength;
    invariant(fits, 'a doorbell is an aligned word inside its buffer');
    return new Doorbell(new Int32Array(buffer, byteOffset, 1));
  }

  /** To hand to another thread together with `byteOffset`. */
  get buffer(): SharedArrayBuffer {
    return this.#words.buffer;
  }

  get byteOffset(): number {
    return this.#words.byteOffset;
  }

  ring(): void {
    Atomics.add(this.#words, 0, 1);
    Atomics.notify(this.#words, 0);
  }

  /** Take this before looking at the rings; wait with it when all are empty. */
  value(): number {
    return Atomics.load(this.#words, 0);
  }

  /** Blocks the thread until rung since `seen`, at most `timeoutMs`. True if it was rung. */
  wait(seen: number, timeoutMs: number): boolean {
    return Atomics.wait(this.#words, 0, seen, timeoutMs) !== 'timed-out';
  }

  /** As `wait`, for a thread with an event loop. */
  async waitAsync(seen: number, timeoutMs: number): Promise<boolean> {
    const waiting = Atomics.waitAsync(this.#words, 0, seen, timeoutMs);
    return (waiting.async ? await waiting.value : waiting.value) !== 'timed-out';
  }
}
