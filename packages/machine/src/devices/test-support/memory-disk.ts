/** A disk in memory, for tests: strict about what a backend may be asked, and failing when it is told to. */
import { type BlockBackend, SECTOR_BYTES } from '../virtio-blk/block-backend.ts';

export class MemoryDisk implements BlockBackend {
  readonly capacityBytes: number;
  readonly isReadOnly: boolean;
  readonly bytes: Uint8Array;
  /** What a crash of the host would leave. */
  stable: Uint8Array;
  isBroken = false;

  constructor(capacityBytes: number, isReadOnly = false, bytes: Uint8Array = new Uint8Array(capacityBytes)) {
    this.capacityBytes = capacityBytes;
    this.isReadOnly = isReadOnly;
    this.bytes = bytes;
    this.stable = bytes.slice();
  }

  clone(): MemoryDisk {
    return new MemoryDisk(this.capacityBytes, this.isReadOnly, this.bytes.slice());
  }

  read(offset: number, target: Uint8Array): void {
    target.set(this.#range(offset, target.length));
  }

  write(offset: number, bytes: Uint8Array): void {
    this.#range(offset, bytes.length, true).set(bytes);
  }

  zero(offset: number, lengthBytes: number): void {
    this.#range(offset, lengthBytes, true).fill(0);
  }

  flush(): void {
    if (this.isBroken) throw new Error('EIO');
    this.stable = this.bytes.slice();
  }

  #range(offset: number, lengthBytes: number, isChange = false): Uint8Array {
    if (
      offset < 0 ||
      lengthBytes < 0 ||
      offset + lengthBytes > this.capacityBytes ||
      offset % SECTOR_BYTES !== 0
    ) {
      throw new RangeError('a device reached outside its disk');
    }
    if (isChange && this.isReadOnly) throw new RangeError('a device wrote to a read-only disk');
    if (this.isBroken) throw new Error('EIO');
    return this.bytes.subarray(offset, offset + lengthBytes);
  }
}
