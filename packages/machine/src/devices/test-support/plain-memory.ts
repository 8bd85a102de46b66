/** Guest RAM for tests of device models: a plain buffer, strict about bounds. */
import type { GuestMemory, MemoryRange } from '../device.ts';
import { RAM_BASE_ADDRESS } from '../memory-map.ts';

export class PlainMemory implements GuestMemory {
  readonly base = RAM_BASE_ADDRESS;
  readonly sizeBytes: number;
  readonly bytes: Uint8Array;
  readonly #view: DataView;

  constructor(sizeBytes: number, bytes = new Uint8Array(sizeBytes)) {
    this.sizeBytes = sizeBytes;
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  clone(): PlainMemory {
    return new PlainMemory(this.sizeBytes, this.bytes.slice());
  }

  contains(address: number, lengthBytes: number): boolean {
    return address >= this.base && lengthBytes >= 0 && address + lengthBytes <= this.base + this.sizeBytes;
  }

  readable(address: number, lengthBytes: number): Uint8Array {
    const offset = this.#offset(address, lengthBytes);
    return this.bytes.subarray(offset, offset + lengthBytes);
  }

  write(address: number, bytes: Uint8Array): void {
    this.bytes.set(bytes, this.#offset(address, bytes.length));
  }

  release(ranges: readonly MemoryRange[]): void {
    for (const { address, lengthBytes } of ranges) {
      const offset = this.#offset(address, lengthBytes);
      this.bytes.fill(0, offset, offset + lengthBytes);
    }
  }

  read16(address: number): number {
    return this.#view.getUint16(this.#offset(address, 2), true);
  }

  read32(address: number): number {
    return this.#view.getUint32(this.#offset(address, 4), true);
  }

  read64(address: number): number {
    const value = this.#view.getBigUint64(this.#offset(address, 8), true);
    return value > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(value);
  }

  write16(address: number, value: number): void {
    this.#view.setUint16(this.#offset(address, 2), value, true);
  }

  write32(address: number, value: number): void {
    this.#view.setUint32(this.#offset(address, 4), value, true);
  }

  write64(address: number, value: number): void {
    this.#view.setBigUint64(this.#offset(address, 8), BigInt(value), true);
  }

  #offset(address: number, lengthBytes: number): number {
    if (!this.contains(address, lengthBytes)) throw new RangeError('a device reached outside RAM');
    return address - this.base;
  }
}
