/** A virtio-blk device with a driver of the tests' own, and the disk behind it. */

import {
  FEATURE_BLOCK_SIZE,
  FEATURE_DISCARD,
  FEATURE_FLUSH,
  FEATURE_READ_ONLY,
  FEATURE_SEGMENTS_MAX,
  FEATURE_WRITE_ZEROES,
  REQUEST_QUEUE,
  VirtioBlk,
} from '../virtio-blk/virtio-blk.ts';
import {
  FEATURE_EVENT_INDEX,
  FEATURE_INDIRECT_DESCRIPTORS,
  FEATURE_VERSION_1,
} from '../virtio-mmio/registers.ts';
import { MemoryDisk } from './memory-disk.ts';
import type { PlainMemory } from './plain-memory.ts';
import { BUFFERS, VirtioBench } from './virtio-bench.ts';

const TRANSPORT_FEATURES = FEATURE_VERSION_1 | FEATURE_INDIRECT_DESCRIPTORS | FEATURE_EVENT_INDEX;
const COMMON_FEATURES = TRANSPORT_FEATURES | FEATURE_SEGMENTS_MAX | FEATURE_BLOCK_SIZE | FEATURE_FLUSH;
export const WRITABLE_FEATURES = COMMON_FEATURES | FEATURE_DISCARD | FEATURE_WRITE_ZEROES;
const READ_ONLY_FEATURES = COMMON_FEATURES | FEATURE_READ_ONLY;

const HEADER = BUFFERS;
const DATA = BUFFERS + 0x100;
const DATA_BYTES_MAX = 0x8000;
const STATUS = DATA + DATA_BYTES_MAX;
/** What no device answers. */
const UNANSWERED = 0xee;

export interface BlkAnswer {
  readonly status: number;
  readonly writtenBytes: number;
  /** What the device wrote, or left, where data was asked for. */
  readonly data: Uint8Array;
}

export interface BlkBenchOptions {
  readonly disk?: MemoryDisk;
  readonly serial?: string;
  readonly twin?: BlkBench;
  readonly memory?: PlainMemory;
}

export class BlkBench extends VirtioBench<VirtioBlk> {
  readonly disk: MemoryDisk;

  constructor({ disk = new MemoryDisk(64 * 512), serial = 'disk0', twin, memory }: BlkBenchOptions = {}) {
    super({
      attach: (transport) => new VirtioBlk({ backend: disk, serial, transport }),
      queues: 1,
      features: disk.isReadOnly ? READ_ONLY_FEATURES : WRITABLE_FEATURES,
      twin,
      memory,
    });
    this.disk = disk;
  }

  /** One request, in three descriptors or an indirect table of three. `inBytes`: room for data from the device. */
  request(
    type: number,
    sector: bigint,
    out: Uint8Array = new Uint8Array(0),
    inBytes = 0,
    isIndirect = false,
  ): BlkAnswer {
    this.memory.write(HEADER, header(type, sector));
    this.memory.write(DATA, out.length > 0 ? out : new Uint8Array(inBytes).fill(UNANSWERED));
    this.memory.write(STATUS, Uint8Array.of(UNANSWERED));
    const spans = [
      { address: HEADER, lengthBytes: 16 },
      ...(out.length > 0 ? [{ address: DATA, lengthBytes: out.length }] : []),
      ...(inBytes > 0 ? [{ address: DATA, lengthBytes: inBytes, isWritable: true }] : []),
      { address: STATUS, lengthBytes: 1, isWritable: true },
    ];
    if (isIndirect) this.queue(REQUEST_QUEUE).offerIndirect(spans, STATUS + 0x100);
    else this.queue(REQUEST_QUEUE).offer(spans);
    this.kick(REQUEST_QUEUE);
    const [used] = this.queue(REQUEST_QUEUE).takeUsed();
    return {
      status: this.memory.readable(STATUS, 1)[0] ?? UNANSWERED,
      writtenBytes: used?.writtenBytes ?? Number.NaN,
      data: this.memory.readable(DATA, inBytes).slice(),
    };
  }
}

export function header(type: number, sector: bigint): Uint8Array {
  const bytes: Uint8Array = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, type, true);
  view.setBigUint64(8, sector, true);
  return bytes;
}

/** A range of a discard or write-zeroes request. */
export function range(sector: bigint, sectors: number, flags = 0): Uint8Array {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, sector, true);
  view.setUint32(8, sectors, true);
  view.setUint32(12, flags, true);
  return bytes;
}

/** So many sectors with a recognisable content. */
export function pattern(sectors: number, seed = 1): Uint8Array {
  return Uint8Array.from(
    { length: sectors * 512 },
    (_, index) => (index * 13 + seed * 29 + (index >> 9)) & 0xff,
  );
}
