/**
 * A virtio network device: one receive and one transmit queue, a control queue for announcements, link status.
 * A transmit completes at the kick; a frame that finds no receive buffer, or no driver, is dropped and counted. The wire
 * carries finished frames of at most the MTU: checksums and segments that a driver leaves to the device are made here.
 * Omitted: large receive; nothing larger than the MTU comes in.
 * Omitted: receive filters and multiqueue; the switch port filters, and there is one vCPU.
 * Source: virtio 1.2, "Network Device".
 */
import type { DeviceEnvironment } from '../device.ts';
import type { StateReader } from '../state-reader.ts';
import type { VirtioDevice, VirtioTransport } from '../virtio-mmio/virtio-device.ts';
import { type DescriptorChain, gather, scatter } from '../virtqueue/descriptor-chain.ts';
import type { Virtqueue } from '../virtqueue/virtqueue.ts';
import { ETHERNET_HEADER_BYTES, hasRightChecksum, VLAN_TAG_BYTES } from './checksum.ts';
import { isUnicastMac } from './mac-address.ts';
import { LARGE_FRAME_BYTES_MAX, type TransmitOffloads, wireFrames } from './transmit-offload.ts';

export const FEATURE_CHECKSUM = 1n << 0n;
export const FEATURE_GUEST_CHECKSUM = 1n << 1n;
export const FEATURE_MAC = 1n << 5n;
export const FEATURE_HOST_TSO4 = 1n << 11n;
export const FEATURE_MERGEABLE_BUFFERS = 1n << 15n;
export const FEATURE_STATUS = 1n << 16n;
export const FEATURE_CONTROL_QUEUE = 1n << 17n;
export const FEATURE_ANNOUNCE = 1n << 21n;

export const RECEIVE_QUEUE = 0;
export const TRANSMIT_QUEUE = 1;
export const CONTROL_QUEUE = 2;

const DEVICE_ID_NETWORK = 1;
const DATA_QUEUE_SIZE_MAX = 256;
const CONTROL_QUEUE_SIZE_MAX = 64;

/** struct virtio_net_hdr with num_buffers, as VERSION_1 has it. */
export const NET_HEADER_BYTES = 12;
const HEADER_FLAGS = 0;
const HEADER_NUM_BUFFERS = 10;
const FLAG_DATA_VALID = 2;

const MTU_BYTES = 1500;
/** A frame of the MTU with one VLAN tag, without its check sequence. */
export const FRAME_BYTES_MAX = ETHERNET_HEADER_BYTES + VLAN_TAG_BYTES + MTU_BYTES;

const STATUS_LINK_UP = 1;
const STATUS_ANNOUNCE = 2;
const CONFIG_STATUS_OFFSET = 6;
const CONFIG_BYTES = 8;

const CONTROL_HEADER_BYTES = 2;
const CONTROL_CLASS_ANNOUNCE = 3;
const CONTROL_ANNOUNCE_ACK = 0;
const CONTROL_OK = 0;
const CONTROL_ERROR = 1;

export interface VirtioNetMetrics {
  transmittedFrames: number;
  transmittedBytes: number;
  /** Large packets that became several frames. */
  segmentedPackets: number;
  receivedFrames: number;
  receivedBytes: number;
  /** Transmits that are no frame: too short, too long, asking for what can't be done, or sent with the link down. */
  transmitDropped: number;
  /** Frames for the guest that found the driver not ready, the link down, or a length out of bounds. */
  receiveRefused: number;
  /** Frames for the guest that found too few receive buffers. */
  receiveWithoutBuffer: number;
}

export interface VirtioNetOptions {
  /** The machine's number of this vNIC, as in its inputs and outputs. */
  readonly nic: number;
  readonly mac: Uint8Array;
  readonly environment: DeviceEnvironment;
  readonly transport: VirtioTransport;
}

export class VirtioNet implements VirtioDevice {
  readonly kind = 'net';
  readonly deviceId = DEVICE_ID_NETWORK;
  readonly features =
    FEATURE_CHECKSUM |
    FEATURE_GUEST_CHECKSUM |
    FEATURE_HOST_TSO4 |
    FEATURE_MAC |
    FEATURE_MERGEABLE_BUFFERS |
    FEATURE_STATUS |
    FEATURE_CONTROL_QUEUE |
    FEATURE_ANNOUNCE;
  readonly queueSizesMax = [DATA_QUEUE_SIZE_MAX, DATA_QUEUE_SIZE_MAX, CONTROL_QUEUE_SIZE_MAX] as const;
  readonly metrics: VirtioNetMetrics = {
    transmittedFrames: 0,
    transmittedBytes: 0,
    segmentedPackets: 0,
    receivedFrames: 0,
    receivedBytes: 0,
    transmitDropped: 0,
    receiveRefused: 0,
    receiveWithoutBuffer: 0,
  };

  readonly #nic: number;
  readonly #environment: DeviceEnvironment;
  readonly #transport: VirtioTransport;
  /** Header and frame of one packet for the guest. */
  readonly #packet = new Uint8Array(NET_HEADER_BYTES + FRAME_BYTES_MAX);
  #mac: Uint8Array;
  #isLinkUp = true;
  #isAnnouncing = false;

  constructor(options: VirtioNetOptions) {
    this.#nic = options.nic;
    this.#mac = options.mac.slice();
    this.#environment = options.environment;
    this.#transport = options.transport;
  }

  /** A frame from the network. */
  receive(frame: Uint8Array): void {
    const queue = this.#transport.queue(RECEIVE_QUEUE);
    const fits = frame.length >= ETHERNET_HEADER_BYTES && frame.length <= FRAME_BYTES_MAX;
    if (queue === undefined || !this.#isLinkUp || !fits) {
      this.metrics.receiveRefused++;
      return;
    }
    const packetBytes = NET_HEADER_BYTES + frame.length;
    const chains = this.#takeBuffers(queue, packetBytes);
    if (chains === undefined) return;
    this.#packet.fill(0, 0, NET_HEADER_BYTES);
    // The guest need not add it up again. What is wrong, or not known here, it finds out itself.
    const isChecked = this.#transport.negotiated(FEATURE_GUEST_CHECKSUM) && hasRightChecksum(frame);
    this.#packet[HEADER_FLAGS] = isChecked ? FLAG_DATA_VALID : 0;
    this.#packet[HEADER_NUM_BUFFERS] = chains.length & 0xff;
    this.#packet[HEADER_NUM_BUFFERS + 1] = chains.length >> 8;
    this.#packet.set(frame, NET_HEADER_BYTES);
    let offset = 0;
    for (const chain of chains) {
      const rest = this.#packet.subarray(offset, packetBytes);
      const written = scatter(this.#transport.memory, chain.writable, rest);
      queue.push(chain.head, written);
      offset += written;
    }
    this.metrics.receivedFrames++;
    this.metrics.receivedBytes += frame.length;
    this.#transport.notifyUsed(queue);
  }

  /** Plugs the cable in or out. */
  setLink(isUp: boolean): void {
    if (isUp === this.#isLinkUp) return;
    this.#isLinkUp = isUp;
    if (this.#transport.negotiated(FEATURE_STATUS)) this.#transport.notifyConfigChange();
  }

  /** Asks the driver to announce its addresses (gratuitous ARP); nothing happens if it did not agree to do so. */
  requestAnnounce(): void {
    if (!this.#transport.isLive() || !this.#transport.negotiated(FEATURE_ANNOUNCE)) return;
    this.#isAnnouncing = true;
    this.#transport.notifyConfigChange();
  }

  config(): Uint8Array {
    const bytes = new Uint8Array(CONFIG_BYTES);
    bytes.set(this.#mac);
    bytes[CONFIG_STATUS_OFFSET] =
      (this.#isLinkUp ? STATUS_LINK_UP : 0) | (this.#isAnnouncing ? STATUS_ANNOUNCE : 0);
    return bytes;
  }

  /** Receive buffers are looked for when a frame comes: the driver need not tell of new ones. */
  activate(): void {
    this.#transport.queue(RECEIVE_QUEUE)?.refuseNotifications();
    this.#transport.queue(TRANSMIT_QUEUE)?.wantNotification();
    this.#transport.queue(CONTROL_QUEUE)?.wantNotification();
  }

  kick(index: number): void {
    const queue = this.#transport.queue(index);
    if (queue === undefined) return;
    if (index === RECEIVE_QUEUE) {
      queue.refuseNotifications();
      return;
    }
    // The guest stands still meanwhile, so no more buffers come than the queue holds.
    for (let left = queue.size; left > 0; left--) {
      const chain = queue.pop();
      if (chain.kind === 'empty') break;
      if (chain.kind === 'broken') {
        this.#transport.fail(chain.reason);
        break;
      }
      const problem = index === TRANSMIT_QUEUE ? this.#transmit(queue, chain) : this.#command(queue, chain);
      if (problem !== undefined) {
        this.#transport.fail(problem);
        break;
      }
    }
    if (!this.#transport.isLive()) return;
    queue.wantNotification();
    this.#transport.notifyUsed(queue);
  }

  reset(): void {
    this.#isAnnouncing = false;
  }

  save() {
    return { mac: this.#mac.slice(), isLinkUp: this.#isLinkUp, isAnnouncing: this.#isAnnouncing };
  }

  readState(reader: StateReader): { apply(): void } {
    const mac = reader.bytes('mac', 6, 6);
    if (!isUnicastMac(mac)) throw reader.invalid('mac', 'a unicast MAC address');
    const isLinkUp = reader.boolean('isLinkUp');
    const isAnnouncing = reader.boolean('isAnnouncing');
    reader.finish();
    return {
      apply: () => {
        this.#mac = mac;
        this.#isLinkUp = isLinkUp;
        this.#isAnnouncing = isAnnouncing;
      },
    };
  }

  /** Receive buffers for a packet, or undefined: too few of them, or the driver broke the rules. */
  #takeBuffers(queue: Virtqueue, packetBytes: number): DescriptorChain[] | undefined {
    const chains: DescriptorChain[] = [];
    const isMergeable = this.#transport.negotiated(FEATURE_MERGEABLE_BUFFERS);
    let capacityBytes = 0;
    while (capacityBytes < packetBytes) {
      const chain = isMergeable || chains.length === 0 ? queue.pop() : { kind: 'empty' as const };
      if (chain.kind === 'empty') {
        queue.unpop(chains.length);
        this.metrics.receiveWithoutBuffer++;
        return undefined;
      }
      if (chain.kind === 'broken') {
        this.#transport.fail(chain.reason);
        return undefined;
      }
      if (chain.writableBytes === 0 || (chains.length === 0 && chain.writableBytes < NET_HEADER_BYTES)) {
        this.#transport.fail('a receive buffer too small for the header');
        return undefined;
      }
      chains.push(chain);
      capacityBytes += chain.writableBytes;
    }
    return chains;
  }

  /** Sends one packet and returns its buffer. Says what is wrong if the driver broke the rules. */
  #transmit(queue: Virtqueue, chain: DescriptorChain): string | undefined {
    if (chain.readableBytes < NET_HEADER_BYTES) return 'a transmit buffer shorter than its header';
    const frameBytes = chain.readableBytes - NET_HEADER_BYTES;
    const isFrame = frameBytes >= ETHERNET_HEADER_BYTES && frameBytes <= LARGE_FRAME_BYTES_MAX;
    const frames = this.#isLinkUp && isFrame ? this.#wireFrames(chain) : undefined;
    if (frames === undefined) this.metrics.transmitDropped++;
    else if (frames.length > 1) this.metrics.segmentedPackets++;
    for (const frame of frames ?? []) {
      this.metrics.transmittedFrames++;
      this.metrics.transmittedBytes += frame.length;
      this.#environment.emit({ type: 'frame', nic: this.#nic, frame });
    }
    queue.push(chain.head, 0);
    return undefined;
  }

  #wireFrames(chain: DescriptorChain): readonly Uint8Array[] | undefined {
    const packet = new Uint8Array(chain.readableBytes);
    gather(this.#transport.memory, chain.readable, packet);
    const offloads: TransmitOffloads = {
      checksum: this.#transport.negotiated(FEATURE_CHECKSUM),
      segmentation: this.#transport.negotiated(FEATURE_HOST_TSO4),
      frameBytesMax: FRAME_BYTES_MAX,
    };
    return wireFrames(packet.subarray(0, NET_HEADER_BYTES), packet.subarray(NET_HEADER_BYTES), offloads);
  }

  #command(queue: Virtqueue, chain: DescriptorChain): string | undefined {
    if (chain.readableBytes < CONTROL_HEADER_BYTES || chain.writableBytes < 1) {
      return 'a control command without header or place for its answer';
    }
    const header = new Uint8Array(CONTROL_HEADER_BYTES);
    gather(this.#transport.memory, chain.readable, header);
    const isAcknowledgement = header[0] === CONTROL_CLASS_ANNOUNCE && header[1] === CONTROL_ANNOUNCE_ACK;
    if (isAcknowledgement) this.#isAnnouncing = false;
    const answer = isAcknowledgement ? CONTROL_OK : CONTROL_ERROR;
    queue.push(chain.head, scatter(this.#transport.memory, chain.writable, Uint8Array.of(answer)));
    return undefined;
  }
}
