/**
 * A virtio entropy device: fills the guest's buffers from a generator of its own, so that the numbers are a function of
 * the seed and of what the guest asked for, at a replay and behind a migration as well.
 * Source: virtio 1.2, "Entropy Device".
 */
import type { StateReader } from '../state-reader.ts';
import { serveQueue } from '../virtio-mmio/serve-queue.ts';
import type { VirtioDevice, VirtioTransport } from '../virtio-mmio/virtio-device.ts';
import { type DescriptorChain, scatter } from '../virtqueue/descriptor-chain.ts';
import type { Virtqueue } from '../virtqueue/virtqueue.ts';
import { RandomGenerator, SEED_BYTES } from './random-generator.ts';

export const REQUEST_QUEUE = 0;
/** A device may fill less of a buffer than there is. Linux asks for 64 bytes at a time. */
export const RANDOM_BYTES_PER_REQUEST_MAX = 1024;

const DEVICE_ID_ENTROPY = 4;
const QUEUE_SIZE_MAX = 16;

export interface VirtioRngMetrics {
  requests: number;
  randomBytes: number;
}

export class VirtioRng implements VirtioDevice {
  readonly kind = 'rng';
  readonly deviceId = DEVICE_ID_ENTROPY;
  readonly features = 0n;
  readonly queueSizesMax = [QUEUE_SIZE_MAX] as const;
  readonly metrics: VirtioRngMetrics = { requests: 0, randomBytes: 0 };

  readonly #transport: VirtioTransport;
  #generator: RandomGenerator;

  /** `seed`: 32 bytes. Machines with equal seeds have equal numbers. */
  constructor(transport: VirtioTransport, seed: Uint8Array) {
    this.#transport = transport;
    this.#generator = new RandomGenerator(seed);
  }

  config(): Uint8Array {
    return new Uint8Array(0);
  }

  activate(): void {
    this.#transport.queue(REQUEST_QUEUE)?.wantNotification();
  }

  kick(index: number): void {
    const queue = this.#transport.queue(index);
    if (queue === undefined) return;
    serveQueue(this.#transport, queue, (chain) => this.#fill(queue, chain));
  }

  /** The generator goes on: a driver that starts again must not get the same numbers again. */
  reset(): void {}

  save() {
    return { key: this.#generator.key };
  }

  /** Where in its numbers a device stands is all the same to who has had none of them. */
  stateForNextDriver() {
    return {};
  }

  readState(reader: StateReader): { apply(): void } {
    const key = reader.bytes('key', SEED_BYTES, SEED_BYTES);
    reader.finish();
    return {
      apply: () => {
        this.#generator = new RandomGenerator(key);
      },
    };
  }

  /** Says what is wrong if the driver broke the rules. */
  #fill(queue: Virtqueue, chain: DescriptorChain): string | undefined {
    if (chain.readableBytes > 0 || chain.writableBytes === 0) {
      return 'a buffer for random bytes that is not for the device to write';
    }
    const bytes = this.#generator.draw(Math.min(chain.writableBytes, RANDOM_BYTES_PER_REQUEST_MAX));
    queue.push(chain.head, scatter(this.#transport.memory, chain.writable, bytes));
    this.metrics.requests++;
    this.metrics.randomBytes += bytes.length;
    return undefined;
  }
}
