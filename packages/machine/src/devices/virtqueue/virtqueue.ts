/**
 * The device's side of a split virtqueue: takes buffers from the available ring, returns them on the used ring,
 * and decides whether the driver wants an interrupt. Omitted: packed rings; drivers fall back to split ones.
 * Source: virtio 1.2, "Split Virtqueues".
 */
import type { DeviceState, GuestMemory } from '../device.ts';
import type { StateReader } from '../state-reader.ts';
import { type BrokenQueue, DESCRIPTOR_BYTES, type DescriptorChain, walkChain } from './descriptor-chain.ts';

/** Where a queue lies, as the driver wrote it into the transport's registers: any 64-bit values. */
export interface QueueRegisters {
  readonly size: number;
  readonly descriptorAddress: bigint;
  readonly driverAddress: bigint;
  readonly deviceAddress: bigint;
}

export interface QueueFeatures {
  readonly indirectDescriptors: boolean;
  readonly eventIndex: boolean;
}

/** The available ring is empty. */
export interface EmptyQueue {
  readonly kind: 'empty';
}

type QueueFields = DeviceState['fields'];

const DESCRIPTOR_ALIGNMENT = 16n;
const DRIVER_ALIGNMENT = 2n;
const DEVICE_ALIGNMENT = 4n;
const RING_HEADER_BYTES = 4;
const AVAILABLE_ENTRY_BYTES = 2;
const USED_ENTRY_BYTES = 8;
const EVENT_BYTES = 2;
const INDEX_OFFSET = 2;
const NO_INTERRUPT = 1;
const NO_NOTIFY = 1;
const EMPTY: EmptyQueue = { kind: 'empty' };

/** Says why a queue can't be enabled as configured; undefined if it can. */
export function queueProblem(
  memory: GuestMemory,
  registers: QueueRegisters,
  sizeMax: number,
): string | undefined {
  const { size, descriptorAddress, driverAddress, deviceAddress } = registers;
  if (size < 1 || size > sizeMax || (size & (size - 1)) !== 0) {
    return `queue size ${size} is not a power of two up to ${sizeMax}`;
  }
  const parts = [
    ['descriptor table', descriptorAddress, DESCRIPTOR_ALIGNMENT, size * DESCRIPTOR_BYTES],
    [
      'available ring',
      driverAddress,
      DRIVER_ALIGNMENT,
      RING_HEADER_BYTES + size * AVAILABLE_ENTRY_BYTES + EVENT_BYTES,
    ],
    ['used ring', deviceAddress, DEVICE_ALIGNMENT, RING_HEADER_BYTES + size * USED_ENTRY_BYTES + EVENT_BYTES],
  ] as const;
  for (const [name, address, alignment, lengthBytes] of parts) {
    if (address % alignment !== 0n) return `the ${name} is not aligned to ${alignment}`;
    if (address > BigInt(Number.MAX_SAFE_INTEGER) || !memory.contains(Number(address), lengthBytes)) {
      return `the ${name} is not in RAM`;
    }
  }
  return undefined;
}

/** A queue that is ready. Its configuration is latched: what the driver writes later can't move it. */
export class Virtqueue {
  readonly size: number;
  readonly #memory: GuestMemory;
  readonly #features: QueueFeatures;
  readonly #descriptorAddress: number;
  readonly #driverAddress: number;
  readonly #deviceAddress: number;
  /** Free-running 16-bit indices, as in the rings. */
  #nextAvailable = 0;
  #nextUsed = 0;
  /** `nextUsed` when the driver was last asked whether it wants an interrupt. */
  #signalledUsed = 0;

  /** `registers` must have passed `queueProblem`. */
  constructor(memory: GuestMemory, registers: QueueRegisters, features: QueueFeatures) {
    this.size = registers.size;
    this.#memory = memory;
    this.#features = features;
    this.#descriptorAddress = Number(registers.descriptorAddress);
    this.#driverAddress = Number(registers.driverAddress);
    this.#deviceAddress = Number(registers.deviceAddress);
  }

  /** Takes the next buffer. A broken queue stays broken: the device asks for its reset. */
  pop(): DescriptorChain | EmptyQueue | BrokenQueue {
    const waiting = this.#waiting();
    if (waiting === 0) return EMPTY;
    if (waiting > this.size) {
      return { kind: 'broken', reason: `${waiting} buffers available in a queue of ${this.size}` };
    }
    const slot = this.#nextAvailable & (this.size - 1);
    const head = this.#memory.read16(this.#driverAddress + RING_HEADER_BYTES + slot * AVAILABLE_ENTRY_BYTES);
    const table = {
      address: this.#descriptorAddress,
      entries: this.size,
      indirectAllowed: this.#features.indirectDescriptors,
    };
    const chain = walkChain(this.#memory, table, head);
    if (chain.kind === 'chain') this.#nextAvailable = wrap(this.#nextAvailable + 1);
    return chain;
  }

  /** Gives back the buffers popped last, as if they had not been taken. */
  unpop(count: number): void {
    this.#nextAvailable = wrap(this.#nextAvailable - count);
  }

  /** Returns a buffer to the driver, `writtenBytes` of it filled from its start. */
  push(head: number, writtenBytes: number): void {
    const slot = this.#nextUsed & (this.size - 1);
    const entry = this.#deviceAddress + RING_HEADER_BYTES + slot * USED_ENTRY_BYTES;
    this.#memory.write32(entry, head);
    this.#memory.write32(entry + 4, writtenBytes);
    this.#nextUsed = wrap(this.#nextUsed + 1);
    this.#memory.write16(this.#deviceAddress + INDEX_OFFSET, this.#nextUsed);
  }

  /** Whether the driver wants an interrupt for what was pushed since this was last asked. */
  takeInterruptWanted(): boolean {
    const before = this.#signalledUsed;
    this.#signalledUsed = this.#nextUsed;
    if (before === this.#nextUsed) return false;
    if (!this.#features.eventIndex) return (this.#memory.read16(this.#driverAddress) & NO_INTERRUPT) === 0;
    const event = this.#memory.read16(
      this.#driverAddress + RING_HEADER_BYTES + this.size * AVAILABLE_ENTRY_BYTES,
    );
    return wrap(this.#nextUsed - event - 1) < wrap(this.#nextUsed - before);
  }

  /** Asks the driver to notify when it makes the next buffer available. */
  wantNotification(): void {
    if (this.#features.eventIndex) this.#memory.write16(this.#eventAddress(), this.#nextAvailable);
    else this.#memory.write16(this.#deviceAddress, 0);
  }

  /** Asks the driver not to notify. With event indices that means: not before the index has gone all the way round. */
  refuseNotifications(): void {
    if (this.#features.eventIndex) this.#memory.write16(this.#eventAddress(), wrap(this.#nextAvailable - 1));
    else this.#memory.write16(this.#deviceAddress, NO_NOTIFY);
  }

  save(): QueueFields {
    return {
      nextAvailable: this.#nextAvailable,
      nextUsed: this.#nextUsed,
      signalledUsed: this.#signalledUsed,
    };
  }

  /** Takes over the ring positions of a saved queue. For a queue that nothing uses yet. */
  restore(reader: StateReader): void {
    this.#nextAvailable = reader.integer('nextAvailable', 0, 0xffff);
    this.#nextUsed = reader.integer('nextUsed', 0, 0xffff);
    this.#signalledUsed = reader.integer('signalledUsed', 0, 0xffff);
  }

  #waiting(): number {
    return wrap(this.#memory.read16(this.#driverAddress + INDEX_OFFSET) - this.#nextAvailable);
  }

  #eventAddress(): number {
    return this.#deviceAddress + RING_HEADER_BYTES + this.size * USED_ENTRY_BYTES;
  }
}

function wrap(index: number): number {
  return index & 0xffff;
}
