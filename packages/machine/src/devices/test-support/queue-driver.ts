/** The driver's side of a split virtqueue, for tests: lays out the rings, offers buffers, takes them back. */
import { DESCRIPTOR_BYTES } from '../virtqueue/descriptor-chain.ts';
import type { PlainMemory } from './plain-memory.ts';

export interface OfferedSpan {
  readonly address: number;
  readonly lengthBytes: number;
  readonly isWritable?: boolean;
}

export interface UsedBuffer {
  readonly head: number;
  readonly writtenBytes: number;
}

export const NEXT = 1;
export const WRITE = 2;
export const INDIRECT = 4;

export class QueueDriver {
  readonly size: number;
  readonly descriptorAddress: number;
  readonly driverAddress: number;
  readonly deviceAddress: number;
  readonly #memory: PlainMemory;
  /** Descriptors of each offered head, to be freed when it comes back. */
  readonly #held: Map<number, number[]>;
  readonly #free: number[];
  #available = 0;
  #usedSeen = 0;

  /** Takes 12 KiB from `address`, which is page-aligned. `twin` continues another driver on its own memory. */
  constructor(memory: PlainMemory, address: number, size: number, twin?: QueueDriver) {
    this.#memory = memory;
    this.size = size;
    this.descriptorAddress = address;
    this.driverAddress = address + 0x1000;
    this.deviceAddress = address + 0x2000;
    this.#held = new Map(twin ? twin.#held : []);
    this.#free = twin ? [...twin.#free] : Array.from({ length: size }, (_, index) => size - 1 - index);
    this.#available = twin ? twin.#available : 0;
    this.#usedSeen = twin ? twin.#usedSeen : 0;
  }

  get freeDescriptors(): number {
    return this.#free.length;
  }

  /** Offers a chain of descriptors; returns its head. */
  offer(spans: readonly OfferedSpan[]): number {
    const indices = spans.map(() => this.#take());
    for (const [position, span] of spans.entries()) {
      const next = indices[position + 1];
      const flags = (span.isWritable ? WRITE : 0) | (next === undefined ? 0 : NEXT);
      this.writeDescriptor(indices[position] ?? 0, span.address, span.lengthBytes, flags, next ?? 0);
    }
    return this.#publish(indices);
  }

  /** Offers a chain through an indirect table at `tableAddress`. */
  offerIndirect(spans: readonly OfferedSpan[], tableAddress: number): number {
    const index = this.#take();
    for (const [position, span] of spans.entries()) {
      const isLast = position === spans.length - 1;
      const flags = (span.isWritable ? WRITE : 0) | (isLast ? 0 : NEXT);
      writeDescriptorAt(
        this.#memory,
        tableAddress,
        position,
        span.address,
        span.lengthBytes,
        flags,
        position + 1,
      );
    }
    this.writeDescriptor(index, tableAddress, spans.length * DESCRIPTOR_BYTES, INDIRECT, 0);
    return this.#publish([index]);
  }

  /** Writes a descriptor as it is given, right or wrong. */
  writeDescriptor(index: number, address: number, lengthBytes: number, flags: number, next: number): void {
    writeDescriptorAt(this.#memory, this.descriptorAddress, index, address, lengthBytes, flags, next);
  }

  /** Puts a head on the available ring as it is given, right or wrong. */
  makeAvailable(head: number): void {
    this.#memory.write16(this.driverAddress + 4 + (this.#available % this.size) * 2, head);
    this.#available = (this.#available + 1) & 0xffff;
    this.#memory.write16(this.driverAddress + 2, this.#available);
  }

  setAvailableIndex(index: number): void {
    this.#memory.write16(this.driverAddress + 2, index);
  }

  /** Takes back what the device returned since the last call. */
  takeUsed(): UsedBuffer[] {
    const used: UsedBuffer[] = [];
    const index = this.#memory.read16(this.deviceAddress + 2);
    while (this.#usedSeen !== index) {
      const at = this.deviceAddress + 4 + (this.#usedSeen % this.size) * 8;
      const head = this.#memory.read32(at);
      used.push({ head, writtenBytes: this.#memory.read32(at + 4) });
      this.#free.push(...(this.#held.get(head) ?? []));
      this.#held.delete(head);
      this.#usedSeen = (this.#usedSeen + 1) & 0xffff;
    }
    return used;
  }

  /** With event indices: interrupt when the device has returned the buffer with this index. */
  setUsedEvent(index: number): void {
    this.#memory.write16(this.driverAddress + 4 + this.size * 2, index);
  }

  /** Without event indices: no interrupts, please. */
  setNoInterrupt(isSet: boolean): void {
    this.#memory.write16(this.driverAddress, isSet ? 1 : 0);
  }

  /** Index of the buffer whose offer the device wants to be notified of. */
  availableEvent(): number {
    return this.#memory.read16(this.deviceAddress + 4 + this.size * 8);
  }

  usedFlags(): number {
    return this.#memory.read16(this.deviceAddress);
  }

  #take(): number {
    const index = this.#free.pop();
    if (index === undefined) throw new RangeError('the test offers more descriptors than the queue has');
    return index;
  }

  #publish(indices: number[]): number {
    const head = indices[0] ?? 0;
    this.#held.set(head, indices);
    this.makeAvailable(head);
    return head;
  }
}

export function writeDescriptorAt(
  memory: PlainMemory,
  table: number,
  index: number,
  address: number,
  lengthBytes: number,
  flags: number,
  next: number,
): void {
  const at = table + index * DESCRIPTOR_BYTES;
  memory.write64(at, address);
  memory.write32(at + 8, lengthBytes);
  memory.write16(at + 12, flags);
  memory.write16(at + 14, next);
}
