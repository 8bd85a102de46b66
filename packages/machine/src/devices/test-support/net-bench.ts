/** A virtio-net device with a driver of the tests' own on a plain memory: what a guest kernel does, in a few calls. */
import { RAM_BASE_ADDRESS } from '../memory-map.ts';
import {
  FEATURE_EVENT_INDEX,
  FEATURE_INDIRECT_DESCRIPTORS,
  FEATURE_VERSION_1,
  REGISTER,
  STATUS,
} from '../virtio-mmio/registers.ts';
import { VirtioMmio } from '../virtio-mmio/virtio-mmio.ts';
import {
  CONTROL_QUEUE,
  FEATURE_ANNOUNCE,
  FEATURE_CONTROL_QUEUE,
  FEATURE_MAC,
  FEATURE_MERGEABLE_BUFFERS,
  FEATURE_STATUS,
  NET_HEADER_BYTES,
  RECEIVE_QUEUE,
  TRANSMIT_QUEUE,
  VirtioNet,
} from '../virtio-net/virtio-net.ts';
import { BenchEnvironment } from './bench-environment.ts';
import { PlainMemory } from './plain-memory.ts';
import { QueueDriver } from './queue-driver.ts';

export const MAC = Uint8Array.of(0x52, 0x54, 0, 0x12, 0x34, 0x56);
export const ALL_FEATURES =
  FEATURE_VERSION_1 |
  FEATURE_INDIRECT_DESCRIPTORS |
  FEATURE_EVENT_INDEX |
  FEATURE_MAC |
  FEATURE_STATUS |
  FEATURE_MERGEABLE_BUFFERS |
  FEATURE_CONTROL_QUEUE |
  FEATURE_ANNOUNCE;

export const QUEUE_SIZE = 16;
/** Scratch for buffers, behind the rings. */
export const BUFFERS = RAM_BASE_ADDRESS + 0x1_0000;
const RINGS = RAM_BASE_ADDRESS;
const RING_STRIDE = 0x4000;
export const MEMORY_BYTES = 0x4_0000;

export class NetBench {
  readonly memory: PlainMemory;
  readonly environment: BenchEnvironment;
  readonly mmio: VirtioMmio;
  readonly net: VirtioNet;
  #queues: readonly QueueDriver[];

  /** `twin`: a second machine that was restored from the first one's memory and state. */
  constructor(twin?: NetBench, memory = twin ? twin.memory.clone() : new PlainMemory(MEMORY_BYTES)) {
    this.memory = memory;
    this.environment = new BenchEnvironment(this.memory);
    const attached: VirtioNet[] = [];
    this.mmio = new VirtioMmio(0, this.environment, (transport) => {
      const net = new VirtioNet({ nic: 0, mac: MAC, environment: this.environment, transport });
      attached.push(net);
      return net;
    });
    const [net] = attached;
    if (net === undefined) throw new Error('the transport attached no device');
    this.net = net;
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
  start(features = ALL_FEATURES): void {
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

  /** Puts header and frame into the buffer area, and offers them as one descriptor or split after the header. */
  offerFrame(frame: Uint8Array, at: number, isSplit = false): number {
    this.memory.write(at, new Uint8Array(NET_HEADER_BYTES));
    this.memory.write(at + NET_HEADER_BYTES, frame);
    const spans = isSplit
      ? [
          { address: at, lengthBytes: NET_HEADER_BYTES },
          { address: at + NET_HEADER_BYTES, lengthBytes: frame.length },
        ]
      : [{ address: at, lengthBytes: NET_HEADER_BYTES + frame.length }];
    return this.queue(TRANSMIT_QUEUE).offer(spans);
  }

  offerReceiveBuffer(at: number, lengthBytes: number): number {
    return this.queue(RECEIVE_QUEUE).offer([{ address: at, lengthBytes, isWritable: true }]);
  }

  #layOutQueues(twin?: NetBench): QueueDriver[] {
    return [RECEIVE_QUEUE, TRANSMIT_QUEUE, CONTROL_QUEUE].map(
      (index) => new QueueDriver(this.memory, RINGS + index * RING_STRIDE, QUEUE_SIZE, twin?.queue(index)),
    );
  }
}

/** A frame of the given length with a recognisable content. */
export function testFrame(lengthBytes: number, seed = 1): Uint8Array {
  return Uint8Array.from({ length: lengthBytes }, (_, index) => (index * 7 + seed * 31) & 0xff);
}
