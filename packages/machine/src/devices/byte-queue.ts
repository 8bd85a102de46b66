/** A bounded first-in first-out queue of bytes over one ring buffer. What does not fit is refused, not stored. */
export class ByteQueue {
  readonly capacityBytes: number;
  #ring: Uint8Array;
  #head = 0;
  #length = 0;

  constructor(capacityBytes: number) {
    this.capacityBytes = capacityBytes;
    this.#ring = new Uint8Array(capacityBytes);
  }

  get length(): number {
    return this.#length;
  }

  /** Takes as many of the first bytes as fit; returns how many. */
  push(bytes: Uint8Array): number {
    const accepted = Math.min(bytes.length, this.capacityBytes - this.#length);
    for (let i = 0; i < accepted; i++) {
      this.#ring[(this.#head + this.#length + i) % this.capacityBytes] = bytes[i] ?? 0;
    }
    this.#length += accepted;
    return accepted;
  }

  shift(): number | undefined {
    if (this.#length === 0) return undefined;
    const byte = this.#ring[this.#head];
    this.#head = (this.#head + 1) % this.capacityBytes;
    this.#length--;
    return byte;
  }

  /** Takes the oldest bytes, at most so many. */
  shiftMany(countMax: number): Uint8Array {
    const bytes = new Uint8Array(Math.min(countMax, this.#length));
    for (let i = 0; i < bytes.length; i++) bytes[i] = this.shift() ?? 0;
    return bytes;
  }

  clear(): void {
    this.#head = 0;
    this.#length = 0;
  }

  /** The bytes in the queue, oldest first. */
  toBytes(): Uint8Array {
    const bytes = new Uint8Array(this.#length);
    for (let i = 0; i < this.#length; i++) bytes[i] = this.#ring[(this.#head + i) % this.capacityBytes] ?? 0;
    return bytes;
  }
}
