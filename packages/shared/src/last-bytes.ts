/**
 * The last bytes of a stream that is written in small pieces. A new array a piece, a thousand times a second, had V8
 * collect the whole heap twice a second, and guests wait for a core meanwhile.
 */
export class LastBytes {
  readonly #bytesMax: number;
  /** Up to twice as many: they move to the front once in `bytesMax` bytes. Empty until something is written. */
  #held = new Uint8Array(0);
  #length = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  append(bytes: Uint8Array): void {
    const kept = bytes.subarray(Math.max(0, bytes.length - this.#bytesMax));
    if (this.#length + kept.length > this.#held.length) this.#makeRoom(kept.length);
    this.#held.set(kept, this.#length);
    this.#length += kept.length;
  }

  /** A copy of its own. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#held.slice(Math.max(0, this.#length - this.#bytesMax), this.#length);
  }

  #makeRoom(bytes: number): void {
    const keep = Math.min(this.#length, this.#bytesMax);
    const last = this.#held.subarray(this.#length - keep, this.#length);
    const needed = Math.min(2 * this.#bytesMax, Math.max(keep + bytes, 2 * this.#held.length));
    if (needed > this.#held.length) {
      const grown = new Uint8Array(needed);
      grown.set(last);
      this.#held = grown;
    } else this.#held.copyWithin(0, this.#length - keep, this.#length);
    this.#length = keep;
  }
}
