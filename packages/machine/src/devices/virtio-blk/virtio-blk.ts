/**
 * A virtio block device: reads, writes, flushes, zeroes and names a disk whose content a BlockBackend keeps. A request is
 * complete at its kick; nothing of a failed read reaches the guest, so that its memory does not depend on how the host
 * failed. What was discarded reads as zeros: a guest may be told anything, a replay only one thing.
 * Omitted: more than one queue (there is one vCPU); topology, geometry, the cache's mode, secure erase, zones.
 * Source: virtio 1.2, "Block Device".
 */
import { MachineError } from '../../machine-error.ts';
import type { StateReader } from '../state-reader.ts';
import { serveQueue } from '../virtio-mmio/serve-queue.ts';
import type { VirtioDevice, VirtioTransport } from '../virtio-mmio/virtio-device.ts';
import { type DescriptorChain, scatter } from '../virtqueue/descriptor-chain.ts';
import type { Virtqueue } from '../virtqueue/virtqueue.ts';
import { type BlockBackend, SECTOR_BYTES } from './block-backend.ts';
import {
  type BlockRequest,
  HEADER_BYTES,
  RANGES_MAX,
  REQUEST_BYTES_MAX,
  readRequest,
  STATUS,
  STATUS_BYTES,
} from './block-request.ts';
import { contentDigest } from './content-digest.ts';

export const FEATURE_SEGMENT_SIZE_MAX = 1n << 1n;
export const FEATURE_SEGMENTS_MAX = 1n << 2n;
export const FEATURE_READ_ONLY = 1n << 5n;
export const FEATURE_BLOCK_SIZE = 1n << 6n;
export const FEATURE_FLUSH = 1n << 9n;
export const FEATURE_DISCARD = 1n << 13n;
export const FEATURE_WRITE_ZEROES = 1n << 14n;

export const REQUEST_QUEUE = 0;
/** "Device ID string": not more, padded with zeros. */
export const SERIAL_BYTES_MAX = 20;

const DEVICE_ID_BLOCK = 2;
const QUEUE_SIZE_MAX = 64;
/** A chain is no longer than its queue, and has two descriptors for header and status. */
const SEGMENTS_MAX = QUEUE_SIZE_MAX - 2;
/** So many of the largest segments are what a request may hold, whatever the driver would like to read ahead. */
const SEGMENT_BYTES_MAX = 64 * 1024;

/** struct virtio_blk_config, up to write_zeroes_may_unmap and its padding. */
const CONFIG_BYTES = 60;
const CONFIG = {
  capacity: 0,
  segmentBytesMax: 8,
  segmentsMax: 12,
  blockSize: 20,
  discardSectorsMax: 36,
  discardRangesMax: 40,
  discardAlignment: 44,
  writeZeroesSectorsMax: 48,
  writeZeroesRangesMax: 52,
} as const;

export interface VirtioBlkMetrics {
  reads: number;
  readBytes: number;
  writes: number;
  writtenBytes: number;
  flushes: number;
  zeroedBytes: number;
  /** Requests that the driver may not make, or that no disk of this size can do. */
  refused: number;
  /** Requests that the host failed to do. */
  hostErrors: number;
}

export interface VirtioBlkOptions {
  readonly backend: BlockBackend;
  /** At most 20 ASCII characters: what the guest calls the disk by. */
  readonly serial: string;
  readonly transport: VirtioTransport;
}

export class VirtioBlk implements VirtioDevice {
  readonly kind = 'blk';
  readonly deviceId = DEVICE_ID_BLOCK;
  readonly features: bigint;
  readonly queueSizesMax = [QUEUE_SIZE_MAX] as const;
  readonly metrics: VirtioBlkMetrics = {
    reads: 0,
    readBytes: 0,
    writes: 0,
    writtenBytes: 0,
    flushes: 0,
    zeroedBytes: 0,
    refused: 0,
    hostErrors: 0,
  };

  readonly #backend: BlockBackend;
  readonly #serial: string;
  readonly #transport: VirtioTransport;

  constructor({ backend, serial, transport }: VirtioBlkOptions) {
    this.#backend = backend;
    this.#serial = serial;
    this.#transport = transport;
    this.features =
      FEATURE_SEGMENT_SIZE_MAX |
      FEATURE_SEGMENTS_MAX |
      FEATURE_BLOCK_SIZE |
      FEATURE_FLUSH |
      (backend.isReadOnly ? FEATURE_READ_ONLY : FEATURE_DISCARD | FEATURE_WRITE_ZEROES);
  }

  /** SHA-256 of what the disk holds: see content-digest.ts. */
  contentDigest(): string {
    return contentDigest(this.#backend);
  }

  get hostErrors(): number {
    return this.metrics.hostErrors;
  }

  config(): Uint8Array {
    const bytes = new Uint8Array(CONFIG_BYTES);
    const view = new DataView(bytes.buffer);
    view.setBigUint64(CONFIG.capacity, BigInt(this.#backend.capacityBytes / SECTOR_BYTES), true);
    view.setUint32(CONFIG.segmentBytesMax, SEGMENT_BYTES_MAX, true);
    view.setUint32(CONFIG.segmentsMax, SEGMENTS_MAX, true);
    view.setUint32(CONFIG.blockSize, SECTOR_BYTES, true);
    if (this.#backend.isReadOnly) return bytes;
    view.setUint32(CONFIG.discardSectorsMax, REQUEST_BYTES_MAX / SECTOR_BYTES, true);
    view.setUint32(CONFIG.discardRangesMax, RANGES_MAX, true);
    view.setUint32(CONFIG.discardAlignment, 1, true);
    view.setUint32(CONFIG.writeZeroesSectorsMax, REQUEST_BYTES_MAX / SECTOR_BYTES, true);
    view.setUint32(CONFIG.writeZeroesRangesMax, RANGES_MAX, true);
    return bytes;
  }

  activate(): void {
    this.#transport.queue(REQUEST_QUEUE)?.wantNotification();
  }

  kick(index: number): void {
    const queue = this.#transport.queue(index);
    if (queue === undefined) return;
    serveQueue(this.#transport, queue, (chain) => this.#serve(queue, chain));
  }

  reset(): void {}

  /** Nothing is ever in flight, so this only says which disk it is; its content is not in it. */
  save() {
    return {
      capacityBytes: this.#backend.capacityBytes,
      isReadOnly: this.#backend.isReadOnly,
      serial: this.#serial,
    };
  }

  readState(reader: StateReader): { apply(): void } {
    const capacityBytes = reader.integer('capacityBytes', 0, Number.MAX_SAFE_INTEGER);
    const isReadOnly = reader.boolean('isReadOnly');
    const serial = reader.text('serial', SERIAL_BYTES_MAX);
    reader.finish();
    const found = describe(this.save());
    const wanted = describe({ capacityBytes, isReadOnly, serial });
    if (found !== wanted) {
      throw new MachineError(
        'snapshot.other-machine',
        `the saved state is of ${wanted}; this machine has ${found}`,
      );
    }
    return { apply: () => {} };
  }

  /** Says what is wrong if the driver broke the rules. */
  #serve(queue: Virtqueue, chain: DescriptorChain): string | undefined {
    if (chain.readableBytes < HEADER_BYTES || chain.writableBytes < STATUS_BYTES) {
      return 'a disk request without header or place for its status';
    }
    const request = readRequest(this.#transport.memory, chain, {
      capacityBytes: this.#backend.capacityBytes,
      canDiscard: this.#transport.negotiated(FEATURE_DISCARD),
      canWriteZeroes: this.#transport.negotiated(FEATURE_WRITE_ZEROES),
    });
    const data = this.#try(request);
    const isOk = typeof data !== 'number';
    const answer = isOk ? scatter(this.#transport.memory, chain.writable, data) : 0;
    this.#writeStatus(chain, isOk ? STATUS.ok : data);
    // Bytes written from the start of the chain on: the status is among them where nothing was left out before it.
    const isWhole = answer === chain.writableBytes - STATUS_BYTES;
    queue.push(chain.head, isWhole ? answer + STATUS_BYTES : answer);
    return undefined;
  }

  /** Data for the guest, or the status of a request that was not done. */
  #try(request: BlockRequest): Uint8Array | number {
    if (request.kind === 'refused') {
      this.metrics.refused++;
      return request.status;
    }
    const isChange = request.kind === 'write' || request.kind === 'zero';
    if (isChange && this.#backend.isReadOnly) {
      this.metrics.refused++;
      return STATUS.ioError;
    }
    try {
      const data = this.#perform(request);
      // Without FLUSH the driver takes what is written to be safe.
      if (isChange && !this.#transport.negotiated(FEATURE_FLUSH)) this.#backend.flush();
      return data;
    } catch {
      this.metrics.hostErrors++;
      return STATUS.ioError;
    }
  }

  #perform(request: Exclude<BlockRequest, { kind: 'refused' }>): Uint8Array {
    switch (request.kind) {
      case 'read': {
        const data = new Uint8Array(request.lengthBytes);
        this.#backend.read(request.offset, data);
        this.metrics.reads++;
        this.metrics.readBytes += data.length;
        return data;
      }
      case 'write':
        this.#backend.write(request.offset, request.bytes);
        this.metrics.writes++;
        this.metrics.writtenBytes += request.bytes.length;
        return NOTHING;
      case 'zero':
        this.#backend.zero(request.offset, request.lengthBytes);
        this.metrics.zeroedBytes += request.lengthBytes;
        return NOTHING;
      case 'flush':
        this.#backend.flush();
        this.metrics.flushes++;
        return NOTHING;
      case 'get-id': {
        const id = new Uint8Array(SERIAL_BYTES_MAX);
        id.set(new TextEncoder().encode(this.#serial));
        return id.subarray(0, Math.min(request.lengthBytes, id.length));
      }
    }
  }

  /** The last byte of the chain. */
  #writeStatus(chain: DescriptorChain, status: number): void {
    const last = chain.writable.at(-1);
    if (last === undefined) return;
    this.#transport.memory.write(last.address + last.lengthBytes - STATUS_BYTES, Uint8Array.of(status));
  }
}

const NOTHING = new Uint8Array(0);

function describe(disk: { capacityBytes: number; isReadOnly: boolean; serial: string }): string {
  return `a ${disk.isReadOnly ? 'read-only ' : ''}disk "${disk.serial}" of ${disk.capacityBytes} bytes`;
}
