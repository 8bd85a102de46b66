/**
 * A ring of frames in shared memory between two threads: one producer, one consumer, no locks. A full ring drops
 * the new frame and counts it; nobody ever waits for room. Records hold a frame and nothing else: whether a frame
 * may still leave the host is checked where it is sent. What the other side wrote is validated before it is used.
 *
 * Layout, 32-bit words: magic, capacity | producer's line: tail, dropped | consumer's line: head, corruptions |
 * doorbell | then `capacity` bytes of records, each a length and the bytes padded to 4. Head and tail count bytes
 * modulo 2^32 and are never wrapped to the capacity, so that full and empty differ.
 */
import { invariant } from '@skein/shared';
import { Doorbell } from './doorbell.ts';

const magic = 0x534b_4652; // "SKFR"
// Words that different threads write stand on cache lines (64 bytes) of their own.
const magicWord = 0;
const capacityWord = 1;
const tailWord = 16;
const droppedWord = 17;
const headWord = 32;
const corruptionsWord = 33;
const doorbellWord = 48;
const headerBytes = 256;
const lengthBytes = 4;

export const ringCapacityBytesMin = 4096;
export const ringCapacityBytesMax = 64 * 1024 * 1024;
/** Above the largest frame a virtio-net device can hand over (65,550 bytes). */
export const ringFrameBytesMax = 65_552;

export interface FrameRingOptions {
  /** A power of two from `ringCapacityBytesMin` to `ringCapacityBytesMax`. */
  readonly capacityBytes: number;
  /** Rung after each push; by default one inside the ring's own buffer. */
  readonly doorbell?: Doorbell;
}

/** What another thread needs to `attach`; can be posted to a worker. */
export interface FrameRingHandle {
  readonly buffer: SharedArrayBuffer;
  readonly doorbell: { readonly buffer: SharedArrayBuffer; readonly byteOffset: number };
}

export class FrameRing {
  readonly handle: FrameRingHandle;
  readonly doorbell: Doorbell;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #bytes: Uint8Array<SharedArrayBuffer>;
  readonly #lengths: Int32Array<SharedArrayBuffer>;
  readonly #capacity: number;

  private constructor(buffer: SharedArrayBuffer, capacity: number, doorbell: Doorbell) {
    this.#words = new Int32Array(buffer, 0, headerBytes / 4);
    this.#bytes = new Uint8Array(buffer, headerBytes, capacity);
    this.#lengths = new Int32Array(buffer, headerBytes, capacity / 4);
    this.#capacity = capacity;
    this.doorbell = doorbell;
    this.handle = { buffer, doorbell: { buffer: doorbell.buffer, byteOffset: doorbell.byteOffset } };
  }

  static create(options: FrameRingOptions): FrameRing {
    const { capacityBytes } = options;
    invariant(isCapacity(capacityBytes), 'a ring holds a power of two of bytes, 4 KiB to 64 MiB');
    const buffer = new SharedArrayBuffer(headerBytes + capacityBytes);
    const words = new Int32Array(buffer, 0, headerBytes / 4);
    words[magicWord] = magic;
    words[capacityWord] = capacityBytes;
    return new FrameRing(
      buffer,
      capacityBytes,
      options.doorbell ?? Doorbell.attach(buffer, doorbellWord * 4),
    );
  }

  static attach(handle: FrameRingHandle): FrameRing {
    const { buffer, doorbell } = handle;
    invariant(buffer.byteLength >= headerBytes, 'a ring has a header');
    const words = new Int32Array(buffer, 0, headerBytes / 4);
    const capacity = words[capacityWord] ?? 0;
    const isRing = words[magicWord] === magic && isCapacity(capacity);
    invariant(isRing && buffer.byteLength === headerBytes + capacity, 'the buffer holds a frame ring');
    return new FrameRing(buffer, capacity, Doorbell.attach(doorbell.buffer, doorbell.byteOffset));
  }

  /** Producer only: counts a frame that was not even offered. */
  drop(): void {
    Atomics.add(this.#words, droppedWord, 1);
  }

  /** Producer only. False if the ring is full (or the frame larger than any may be): dropped and counted. */
  push(frame: Uint8Array): boolean {
    const tail = this.#load(tailWord);
    const used = (tail - this.#load(headWord)) >>> 0;
    const needed = recordBytes(frame.length);
    if (frame.length > ringFrameBytesMax || used + needed > this.#capacity) {
      Atomics.add(this.#words, droppedWord, 1);
      return false;
    }
    this.#lengths[this.#at(tail) >> 2] = frame.length;
    this.#write(tail + lengthBytes, frame);
    Atomics.store(this.#words, tailWord, (tail + needed) | 0); // publishes what was written before it
    this.doorbell.ring();
    return true;
  }

  /** Consumer only. A copy of the oldest frame, or null when there is none. */
  pop(): Uint8Array<ArrayBuffer> | null {
    const head = this.#load(headWord);
    const used = (this.#load(tailWord) - head) >>> 0;
    if (used === 0) return null;
    const length = used > this.#capacity ? -1 : this.#readLength(head);
    if (length < 0 || length > ringFrameBytesMax || recordBytes(length) > used) return this.#discardCorrupt();
    const frame = new Uint8Array(length);
    this.#read(head + lengthBytes, frame);
    Atomics.store(this.#words, headWord, (head + recordBytes(length)) | 0);
    return frame;
  }

  /** Consumer only. Hands at most `framesMax` frames to `consume`; returns how many. */
  drain(framesMax: number, consume: (frame: Uint8Array<ArrayBuffer>) => void): number {
    let count = 0;
    while (count < framesMax) {
      const frame = this.pop();
      if (frame === null) break;
      consume(frame);
      count += 1;
    }
    return count;
  }

  get isEmpty(): boolean {
    return this.#load(headWord) === this.#load(tailWord);
  }

  /** Frames that found no room, modulo 2^32. */
  get dropped(): number {
    return this.#load(droppedWord) >>> 0;
  }

  /** How often the consumer found what no producer writes, and discarded all that was queued. */
  get corruptions(): number {
    return this.#load(corruptionsWord) >>> 0;
  }

  /** Record borders are lost, so everything up to the present tail goes. */
  #discardCorrupt(): null {
    Atomics.add(this.#words, corruptionsWord, 1);
    Atomics.store(this.#words, headWord, this.#load(tailWord));
    return null;
  }

  #load(word: number): number {
    return Atomics.load(this.#words, word);
  }

  #at(position: number): number {
    return (position >>> 0) & (this.#capacity - 1);
  }

  /** A length never wraps: positions and the capacity are multiples of 4, unless the ring is corrupt. */
  #readLength(position: number): number {
    const at = this.#at(position);
    return at % 4 === 0 ? (this.#lengths[at >> 2] ?? -1) : -1;
  }

  #write(position: number, frame: Uint8Array): void {
    const at = this.#at(position);
    const first = Math.min(frame.length, this.#capacity - at);
    this.#bytes.set(frame.subarray(0, first), at);
    if (first < frame.length) this.#bytes.set(frame.subarray(first), 0);
  }

  #read(position: number, frame: Uint8Array): void {
    const at = this.#at(position);
    const first = Math.min(frame.length, this.#capacity - at);
    frame.set(this.#bytes.subarray(at, at + first));
    if (first < frame.length) frame.set(this.#bytes.subarray(0, frame.length - first), first);
  }
}

function isCapacity(bytes: number): boolean {
  const isPowerOfTwo = Number.isInteger(bytes) && bytes > 0 && (bytes & (bytes - 1)) === 0;
  return isPowerOfTwo && bytes >= ringCapacityBytesMin && bytes <= ringCapacityBytesMax;
}

function recordBytes(frameBytes: number): number {
  return lengthBytes + ((frameBytes + 3) & ~3);
}
