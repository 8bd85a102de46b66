/**
 * What a driver asks of a disk, read and bounded before anything is done. The driver may cut header, data and status
 * into descriptors as it likes.
 * Source: virtio 1.2, "Block Device", "Device Operation".
 */
import type { GuestMemory } from '../device.ts';
import { type DescriptorChain, gather } from '../virtqueue/descriptor-chain.ts';
import { SECTOR_BYTES } from './block-backend.ts';

export const REQUEST = { in: 0, out: 1, flush: 4, getId: 8, discard: 11, writeZeroes: 13 } as const;
export const STATUS = { ok: 0, ioError: 1, unsupported: 2 } as const;

/** le32 type, le32 reserved, le64 sector. */
export const HEADER_BYTES = 16;
export const STATUS_BYTES = 1;
/** le64 sector, le32 sectors, le32 flags. */
const RANGE_BYTES = 16;
const FLAG_UNMAP = 1;

/** Data of one request: Linux sends at most 1.25 MiB (BLK_DEF_MAX_SECTORS_CAP). */
export const REQUEST_BYTES_MAX = 2 * 1024 * 1024;
/** Ranges of one discard or write-zeroes request. */
export const RANGES_MAX = 1;

/** `offset` and lengths in bytes, within the disk. A refused request has the status that it ends with. */
export type BlockRequest =
  | { readonly kind: 'read'; readonly offset: number; readonly lengthBytes: number }
  | { readonly kind: 'write'; readonly offset: number; readonly bytes: Uint8Array }
  | { readonly kind: 'zero'; readonly offset: number; readonly lengthBytes: number }
  | { readonly kind: 'flush' }
  | { readonly kind: 'get-id'; readonly lengthBytes: number }
  | { readonly kind: 'refused'; readonly status: number };

export interface DiskLimits {
  readonly capacityBytes: number;
  /** Those of the requests discard and write-zeroes that were negotiated. */
  readonly canDiscard: boolean;
  readonly canWriteZeroes: boolean;
}

const IO_ERROR: BlockRequest = { kind: 'refused', status: STATUS.ioError };
const UNSUPPORTED: BlockRequest = { kind: 'refused', status: STATUS.unsupported };

/** `chain` has at least a header and room for the status. */
export function readRequest(memory: GuestMemory, chain: DescriptorChain, limits: DiskLimits): BlockRequest {
  const outBytes = chain.readableBytes - HEADER_BYTES;
  const inBytes = chain.writableBytes - STATUS_BYTES;
  if (outBytes > REQUEST_BYTES_MAX || inBytes > REQUEST_BYTES_MAX) return IO_ERROR;
  const request = new Uint8Array(chain.readableBytes);
  gather(memory, chain.readable, request);
  const view = new DataView(request.buffer);
  const sector = view.getBigUint64(8, true);
  const data = request.subarray(HEADER_BYTES);
  switch (view.getUint32(0, true)) {
    case REQUEST.in: {
      const offset = offsetOf(sector, inBytes, limits);
      return offset === undefined ? IO_ERROR : { kind: 'read', offset, lengthBytes: inBytes };
    }
    case REQUEST.out: {
      const offset = offsetOf(sector, outBytes, limits);
      return offset === undefined ? IO_ERROR : { kind: 'write', offset, bytes: data };
    }
    case REQUEST.flush:
      return { kind: 'flush' };
    case REQUEST.getId:
      return { kind: 'get-id', lengthBytes: inBytes };
    case REQUEST.discard:
      return limits.canDiscard ? readRange(data, 0, limits) : UNSUPPORTED;
    case REQUEST.writeZeroes:
      return limits.canWriteZeroes ? readRange(data, FLAG_UNMAP, limits) : UNSUPPORTED;
    default:
      return UNSUPPORTED;
  }
}

/** A discard must not ask for an unmapping; for write-zeroes it is a wish. */
function readRange(data: Uint8Array, flagsAllowed: number, limits: DiskLimits): BlockRequest {
  if (data.length !== RANGES_MAX * RANGE_BYTES) return IO_ERROR;
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  if ((view.getUint32(12, true) & ~flagsAllowed) !== 0) return UNSUPPORTED;
  const lengthBytes = view.getUint32(8, true) * SECTOR_BYTES;
  if (lengthBytes > REQUEST_BYTES_MAX) return IO_ERROR;
  const offset = offsetOf(view.getBigUint64(0, true), lengthBytes, limits);
  return offset === undefined ? IO_ERROR : { kind: 'zero', offset, lengthBytes };
}

/** Undefined if these are not whole sectors of the disk. */
function offsetOf(sector: bigint, lengthBytes: number, { capacityBytes }: DiskLimits): number | undefined {
  if (lengthBytes % SECTOR_BYTES !== 0) return undefined;
  const end = sector * BigInt(SECTOR_BYTES) + BigInt(lengthBytes);
  return end > BigInt(capacityBytes) ? undefined : Number(end) - lengthBytes;
}
