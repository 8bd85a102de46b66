/** A virtio device with a driver of the tests' own on a plain memory: what a guest kernel does, in a few calls. */
import { RAM_BASE_ADDRESS } from '../memory-map.ts';
import { REGISTER, STATUS } from '../virtio-mmio/registers.ts';
import type { VirtioDevice, VirtioTransport } from '../virtio-mmio/virtio-device.ts';
import { VirtioMmio } from '../virtio-mmio/virtio-mmio.ts';
import { BenchEnvironment } from './bench-environment.ts';
import { PlainMemory } from './plain-memory.ts';
import { QueueDriver } from './queue-driver.ts';

export const QUEUE_SIZE = 16;
/** Scratch for buffers, behind the rings. */
export const BUFFERS = RAM_BASE_ADDRESS + 0x1_0000;
const RINGS = RAM_BASE_ADDRESS;
const RING_STRIDE = 0x3000;
export const MEMORY_BYTES = 0x4_0000;

export interface VirtioBenchOptions<Kind extends VirtioDevice> {
  readonly attach: (transport: VirtioTransport, environment: BenchEnvironment) => Kind;
  readonly queues: number;
  /** What its driver asks for when nothing else is said. */
  readonly features: bigint;
  /** Of a second machine, restored from the first one's memory and state. */
  readonly twin?: VirtioBench<Kind> | undefined;
  readonly memory?: PlainMemory | undefined;
}

export class VirtioBench<Kind extends VirtioDevice> {
  readonly memory: PlainMemory;
  readonly environment: BenchEnvironment;
  readonly mmio: VirtioMmio;
  readonly device: Kind;
  readonly #options: VirtioBenchOptions<Kind>;
  #queues: readonly QueueDriver[];

  constructor(options: VirtioBenchOptions<Kind>) {
    const { twin } = options;
    this.#options = options;
    this.memory = options.memory ?? (twin ? twin.memory.clone() : new PlainMemory(MEMORY_BYTES));
    this.environment = new BenchEnvironment(this.memory);
    const attached: Kind[] = [];
    this.mmio = new VirtioMmio(0, this.environment, (transport) => {
      const device = options.attach(transport, this.environment);
      attached.push(device);
      return device;
    });
    const [device] = attached;
    if (device === undefined) throw new Error('the transport attached no device');
    this.device = device;
    this.#queues = this.#layOutQueues(twin);
    if (twin) this.mmio.restore(twin.mmio.save());
  }

  queue(index: number): QueueDriver {
    const queue = this.#queues[index];
    if (queue === undefined) throw new RangeError(`no queue ${index}`);
    return queue;
  }

  read(offset: number): number {
    return this.mmio.read(offset, 4) ?? Number.NaN;
  }

  write(offset: number, value: number): void {
    this.mmio.write(offset, 4, value);
  }

  get isBroken(): boolean {
    return (this.read(REGISTER.status) & STATUS.needsReset) !== 0;
  }

  /** Negotiates and says what FEATURES_OK became. */
  negotiate(features: bigint): boolean {
    this.write(REGISTER.status, 0);
    this.write(REGISTER.status, STATUS.acknowledge | STATUS.driver);
    for (const word of [0, 1]) {
      this.write(REGISTER.driverFeaturesSelect, word);
      this.write(REGISTER.driverFeatures, Number((features >> BigInt(32 * word)) & 0xffff_ffffn));
    }
    this.write(REGISTER.status, this.read(REGISTER.status) | STATUS.featuresOk);
    return (this.read(REGISTER.status) & STATUS.featuresOk) !== 0;
  }

  configureQueue(index: number): void {
    const queue = this.queue(index);
    this.write(REGISTER.queueSelect, index);
    this.write(REGISTER.queueSize, queue.size);
    this.write(REGISTER.queueDescriptorLow, queue.descriptorAddress);
    this.write(REGISTER.queueDriverLow, queue.driverAddress);
    this.write(REGISTER.queueDeviceLow, queue.deviceAddress);
    this.write(REGISTER.queueReady, 1);
  }

  /** The whole initialisation of a driver. */
  start(features = this.#options.features): void {
    if (!this.negotiate(features)) throw new Error('the features were refused');
    for (const index of this.#queues.keys()) this.configureQueue(index);
    this.write(REGISTER.status, this.read(REGISTER.status) | STATUS.driverOk);
  }

  /** What a driver does after DEVICE_NEEDS_RESET: all from the start, with empty rings. */
  restart(): void {
    this.write(REGISTER.status, 0);
    this.memory.bytes.fill(0);
    this.#queues = this.#layOutQueues();
    this.start();
  }

  /** Notifies a queue and lets the device work, as the machine does between two instructions. */
  kick(index: number): void {
    this.write(REGISTER.queueNotify, index);
    if (!this.environment.isProcessingAsked) return;
    this.environment.isProcessingAsked = false;
    this.mmio.process();
  }

  #layOutQueues(twin?: VirtioBench<Kind>): QueueDriver[] {
    return Array.from(
      { length: this.#options.queues },
      (_, index) => new QueueDriver(this.memory, RINGS + index * RING_STRIDE, QUEUE_SIZE, twin?.queue(index)),
    );
  }
}
