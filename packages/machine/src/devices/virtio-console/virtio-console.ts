/**
 * A virtio console device with one port that is no console: `skein.identity`, from which a guest's init reads who it
 * is. Bytes wait, bounded, until the guest has opened the port and offers buffers; what the guest writes is dropped.
 * Omitted: a console on the port (the UART is the console), sizes, the emergency write; more than one port.
 * Source: virtio 1.2, "Console Device" ("Multiport Device Operation").
 */
import { ByteQueue } from '../byte-queue.ts';
import type { StateReader } from '../state-reader.ts';
import type { VirtioDevice, VirtioTransport } from '../virtio-mmio/virtio-device.ts';
import { type DescriptorChain, gather, scatter } from '../virtqueue/descriptor-chain.ts';
import type { Virtqueue } from '../virtqueue/virtqueue.ts';

export const FEATURE_MULTIPORT = 1n << 1n;

/** Port 0's pair of queues, then the control pair. */
export const PORT_RECEIVE_QUEUE = 0;
export const PORT_TRANSMIT_QUEUE = 1;
export const CONTROL_RECEIVE_QUEUE = 2;
export const CONTROL_TRANSMIT_QUEUE = 3;

export const IDENTITY_PORT_NAME = 'skein.identity';
/** An identity has a few hundred bytes; more is dropped. */
export const IDENTITY_BYTES_MAX = 4096;

const DEVICE_ID_CONSOLE = 3;
const QUEUE_SIZE_MAX = 16;
const PORT = 0;

/** cols, rows (16 bits each), max_nr_ports, emerg_wr (32 bits each). */
const CONFIG_BYTES = 12;
const CONFIG_PORTS_OFFSET = 4;

/** struct virtio_console_control: id (32 bits), event, value (16 bits each). */
const CONTROL_BYTES = 8;
/** Virtio 1.2, "Multiport Device Operation". */
export const CONTROL_EVENT = {
  deviceReady: 0,
  deviceAdd: 1,
  portReady: 3,
  portOpen: 6,
  portName: 7,
} as const;

/** What the device has to tell the driver, in this order; a bit each, so that no driver can pile them up. */
const TELL_ADD = 1;
const TELL_NAME = 2;
const TELL_OPEN = 4;
const TELL_ALL = TELL_ADD | TELL_NAME | TELL_OPEN;

export interface VirtioConsoleMetrics {
  /** Bytes that the guest took, that it wrote, and that found no room. */
  receivedBytes: number;
  transmittedBytes: number;
  droppedInputBytes: number;
}

export class VirtioConsole implements VirtioDevice {
  readonly kind = 'console';
  readonly deviceId = DEVICE_ID_CONSOLE;
  readonly features = FEATURE_MULTIPORT;
  readonly queueSizesMax = [QUEUE_SIZE_MAX, QUEUE_SIZE_MAX, QUEUE_SIZE_MAX, QUEUE_SIZE_MAX] as const;
  readonly metrics: VirtioConsoleMetrics = { receivedBytes: 0, transmittedBytes: 0, droppedInputBytes: 0 };

  readonly #transport: VirtioTransport;
  readonly #input = new ByteQueue(IDENTITY_BYTES_MAX);
  #untold = 0;
  #isOpen = false;

  constructor(transport: VirtioTransport) {
    this.#transport = transport;
  }

  /** The guest has the port open and nothing is on its way: whoever reads it waits. */
  get isAwaited(): boolean {
    return this.#isOpen && this.#transport.isLive() && this.#input.length === 0;
  }

  /** Bytes for whoever reads the port. */
  receive(bytes: Uint8Array): void {
    const accepted = this.#input.push(bytes);
    this.metrics.droppedInputBytes += bytes.length - accepted;
    this.#deliver();
  }

  config(): Uint8Array {
    const bytes = new Uint8Array(CONFIG_BYTES);
    bytes[CONFIG_PORTS_OFFSET] = PORT + 1;
    return bytes;
  }

  activate(): void {
    for (const index of this.queueSizesMax.keys()) this.#transport.queue(index)?.wantNotification();
  }

  kick(index: number): void {
    const queue = this.#transport.queue(index);
    if (queue === undefined) return;
    if (index === PORT_RECEIVE_QUEUE) this.#deliver();
    else if (index === CONTROL_RECEIVE_QUEUE) this.#tell();
    else this.#takeAll(queue, index);
    if (this.#transport.isLive()) queue.wantNotification();
  }

  reset(): void {
    this.#untold = 0;
    this.#isOpen = false;
  }

  save() {
    return { input: this.#input.toBytes(), untold: this.#untold, isOpen: this.#isOpen };
  }

  readState(reader: StateReader): { apply(): void } {
    const input = reader.bytes('input', 0, IDENTITY_BYTES_MAX);
    const untold = reader.integer('untold', 0, TELL_ALL);
    const isOpen = reader.boolean('isOpen');
    reader.finish();
    return {
      apply: () => {
        this.#input.clear();
        this.#input.push(input);
        this.#untold = untold;
        this.#isOpen = isOpen;
      },
    };
  }

  /** Everything that the driver sent on a queue. The guest stands still, so no more come than the queue holds. */
  #takeAll(queue: Virtqueue, index: number): void {
    for (let left = queue.size; left > 0; left--) {
      const chain = this.#pop(queue);
      if (chain === undefined) break;
      if (index === CONTROL_TRANSMIT_QUEUE) this.#obey(chain);
      else this.metrics.transmittedBytes += chain.readableBytes;
      queue.push(chain.head, 0);
    }
    if (!this.#transport.isLive()) return;
    this.#transport.notifyUsed(queue);
    this.#tell();
    this.#deliver();
  }

  /** Events that are not known, or of a port that does not exist, change nothing. */
  #obey(chain: DescriptorChain): void {
    const message = new Uint8Array(CONTROL_BYTES);
    if (gather(this.#transport.memory, chain.readable, message) < CONTROL_BYTES) return;
    const view = new DataView(message.buffer);
    const event = view.getUint16(4, true);
    const value = view.getUint16(6, true);
    if (event === CONTROL_EVENT.deviceReady) this.#untold = value === 1 ? TELL_ADD : 0;
    if (view.getUint32(0, true) !== PORT) return;
    if (event === CONTROL_EVENT.portReady && value === 1) this.#untold |= TELL_NAME | TELL_OPEN;
    if (event === CONTROL_EVENT.portOpen) this.#isOpen = value === 1;
  }

  #tell(): void {
    const queue = this.#transport.queue(CONTROL_RECEIVE_QUEUE);
    if (queue === undefined) return;
    while (this.#untold !== 0) {
      const next = this.#untold & -this.#untold;
      const chain = this.#pop(queue);
      if (chain === undefined) break;
      const message = controlMessage(next);
      if (chain.writableBytes < message.length) {
        this.#transport.fail('a control buffer too small for its message');
        return;
      }
      queue.push(chain.head, scatter(this.#transport.memory, chain.writable, message));
      this.#untold &= ~next;
    }
    if (this.#transport.isLive()) this.#transport.notifyUsed(queue);
  }

  #deliver(): void {
    const queue = this.#transport.queue(PORT_RECEIVE_QUEUE);
    if (queue === undefined || !this.#isOpen) return;
    while (this.#input.length > 0) {
      const chain = this.#pop(queue);
      if (chain === undefined) break;
      if (chain.writableBytes === 0) {
        this.#transport.fail('a receive buffer without room');
        return;
      }
      const bytes = this.#input.shiftMany(chain.writableBytes);
      queue.push(chain.head, scatter(this.#transport.memory, chain.writable, bytes));
      this.metrics.receivedBytes += bytes.length;
    }
    if (this.#transport.isLive()) this.#transport.notifyUsed(queue);
  }

  #pop(queue: Virtqueue): DescriptorChain | undefined {
    const chain = queue.pop();
    if (chain.kind === 'chain') return chain;
    if (chain.kind === 'broken') this.#transport.fail(chain.reason);
    return undefined;
  }
}

function controlMessage(what: number): Uint8Array {
  const name = what === TELL_NAME ? new TextEncoder().encode(IDENTITY_PORT_NAME) : new Uint8Array(0);
  const message = new Uint8Array(CONTROL_BYTES + name.length);
  const view = new DataView(message.buffer);
  const { deviceAdd, portName, portOpen } = CONTROL_EVENT;
  view.setUint32(0, PORT, true);
  view.setUint16(4, what === TELL_ADD ? deviceAdd : what === TELL_NAME ? portName : portOpen, true);
  view.setUint16(6, 1, true);
  message.set(name, CONTROL_BYTES);
  return message;
}
