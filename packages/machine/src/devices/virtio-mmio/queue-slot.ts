/**
 * The registers of one queue, and the queue once it is ready. While it is ready its registers are latched: writes
 * are refused, so that a driver can't move rings that were checked (safety: hostile guest).
 * Source: virtio 1.2, "MMIO Device Register Layout" (QueueSize, QueueReady, QueueDesc, QueueDriver, QueueDevice).
 */
import type { DeviceField, GuestMemory } from '../device.ts';
import type { StateReader } from '../state-reader.ts';
import { type QueueFeatures, type QueueRegisters, queueProblem, Virtqueue } from '../virtqueue/virtqueue.ts';

export type AddressRegister = 'descriptorAddress' | 'driverAddress' | 'deviceAddress';

const LOW_WORD = 0xffff_ffffn;
const UNSET: QueueRegisters = { size: 0, descriptorAddress: 0n, driverAddress: 0n, deviceAddress: 0n };

export class QueueSlot {
  readonly sizeMax: number;
  /** A notification that the device has not worked off. */
  isKicked = false;
  #registers = UNSET;
  #queue: Virtqueue | undefined;

  constructor(sizeMax: number) {
    this.sizeMax = sizeMax;
  }

  get queue(): Virtqueue | undefined {
    return this.#queue;
  }

  /** False if the queue is ready: its size is latched. */
  setSize(size: number): boolean {
    if (this.#queue !== undefined) return false;
    this.#registers = { ...this.#registers, size };
    return true;
  }

  /** One half of an address. False if the queue is ready: its addresses are latched. */
  setAddressHalf(register: AddressRegister, half: 'low' | 'high', value: number): boolean {
    if (this.#queue !== undefined) return false;
    const word = BigInt(value >>> 0);
    const before = this.#registers[register];
    const address = half === 'low' ? (before & ~LOW_WORD) | word : (before & LOW_WORD) | (word << 32n);
    this.#registers = { ...this.#registers, [register]: address };
    return true;
  }

  /** Makes the queue ready, or says why that is impossible. */
  enable(memory: GuestMemory, features: QueueFeatures): string | undefined {
    const problem = queueProblem(memory, this.#registers, this.sizeMax);
    if (problem === undefined) this.#queue = new Virtqueue(memory, this.#registers, features);
    return problem;
  }

  /** The driver takes the queue back; its registers stay as they are. */
  disable(): void {
    this.#queue = undefined;
    this.isKicked = false;
  }

  reset(): void {
    this.disable();
    this.#registers = UNSET;
  }

  save(): DeviceField {
    return {
      ...this.#registers,
      isKicked: this.isKicked,
      isReady: this.#queue !== undefined,
      ...this.#queue?.save(),
    };
  }

  /** Validates a saved queue as one that a driver configures; `apply` takes it over. */
  readState(reader: StateReader, memory: GuestMemory, features: QueueFeatures): { apply(): void } {
    const registers = {
      size: reader.integer('size', 0, 0xffff_ffff),
      descriptorAddress: reader.unsigned64('descriptorAddress'),
      driverAddress: reader.unsigned64('driverAddress'),
      deviceAddress: reader.unsigned64('deviceAddress'),
    };
    const isKicked = reader.boolean('isKicked');
    const isReady = reader.boolean('isReady');
    let queue: Virtqueue | undefined;
    if (isReady) {
      const problem = queueProblem(memory, registers, this.sizeMax);
      if (problem !== undefined) throw reader.invalid('isReady', `possible: ${problem}`);
      queue = new Virtqueue(memory, registers, features);
      queue.restore(reader);
    } else if (isKicked) {
      throw reader.invalid('isKicked', 'false for a queue that is not ready');
    }
    reader.finish();
    return {
      apply: () => {
        this.#registers = registers;
        this.isKicked = isKicked;
        this.#queue = queue;
      },
    };
  }
}
