/** A virtio-net device with a driver of the tests' own. */
import {
  FEATURE_EVENT_INDEX,
  FEATURE_INDIRECT_DESCRIPTORS,
  FEATURE_VERSION_1,
} from '../virtio-mmio/registers.ts';
import {
  FEATURE_ANNOUNCE,
  FEATURE_CHECKSUM,
  FEATURE_CONTROL_QUEUE,
  FEATURE_GUEST_CHECKSUM,
  FEATURE_HOST_TSO4,
  FEATURE_MAC,
  FEATURE_MERGEABLE_BUFFERS,
  FEATURE_STATUS,
  NET_HEADER_BYTES,
  RECEIVE_QUEUE,
  TRANSMIT_QUEUE,
  VirtioNet,
} from '../virtio-net/virtio-net.ts';
import type { PlainMemory } from './plain-memory.ts';
import { VirtioBench } from './virtio-bench.ts';

export { BUFFERS, MEMORY_BYTES, QUEUE_SIZE } from './virtio-bench.ts';

export const MAC = Uint8Array.of(0x52, 0x54, 0, 0x12, 0x34, 0x56);
export const ALL_FEATURES =
  FEATURE_VERSION_1 |
  FEATURE_INDIRECT_DESCRIPTORS |
  FEATURE_EVENT_INDEX |
  FEATURE_CHECKSUM |
  FEATURE_GUEST_CHECKSUM |
  FEATURE_HOST_TSO4 |
  FEATURE_MAC |
  FEATURE_STATUS |
  FEATURE_MERGEABLE_BUFFERS |
  FEATURE_CONTROL_QUEUE |
  FEATURE_ANNOUNCE;

export class NetBench extends VirtioBench<VirtioNet> {
  /** `twin`: a second machine that was restored from the first one's memory and state. */
  constructor(twin?: NetBench, memory?: PlainMemory) {
    super({
      attach: (transport, environment) => new VirtioNet({ nic: 0, mac: MAC, environment, transport }),
      queues: 3,
      features: ALL_FEATURES,
      twin,
      memory,
    });
  }

  get net(): VirtioNet {
    return this.device;
  }

  /** Puts header and frame into the buffer area, and offers them as one descriptor or split after the header. */
  offerFrame(
    frame: Uint8Array,
    at: number,
    isSplit = false,
    header: Uint8Array = new Uint8Array(NET_HEADER_BYTES),
  ): number {
    this.memory.write(at, header);
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
}

/** A frame of the given length with a recognisable content. */
export function testFrame(lengthBytes: number, seed = 1): Uint8Array {
  return Uint8Array.from({ length: lengthBytes }, (_, index) => (index * 7 + seed * 31) & 0xff);
}
