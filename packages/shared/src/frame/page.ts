/**
 * Pages of guest RAM on the wire: batches in one fixed layout, made to be composed in place (each page is copied
 * once, straight to where it is sent from) and checked before anything is written. Little endian, our own layout.
 *
 *   0  u8   kind of the WebSocket message: bulk (2)
 *   1  u8   layout version (3)
 *   2  u16  entries
 *   4  u32  round
 *   8  u32  sequence of the batch, from 0
 *  12  u32  bytes of page data
 *  16  u32  bytes of compressed page data (zstd, one frame) that follow instead; 0: the data stand as they are
 *  20  u64  sum of the position-keyed hashes of its pages, modulo 2^64; 0 for those that are zero
 *  28  entries of 8 bytes: u32 page number, u16 kind, u16 bytes of data
 *  ..  page data in the order of the entries, to the end
 *
 * Kinds: 0 zero page, no data; 1 raw page, 4,096 bytes; 2 delta: what changed since the page was sent last, as the page
 * kernel encodes it (packages/machine, page-kernel). The hash is that of the whole page in each case.
 */

import { invariant } from '../invariant.ts';

export const pageBytes = 4096;
export const batchEntriesMax = 254;
/** Page data in one batch: 256 KiB share what a frame costs beside its pages (docs/decisions/0014-bulk-is-sent-in-place.md). */
export const batchDataBytesMax = 64 * pageBytes;
/** In front of each composed frame so much memory is free: a WebSocket header without a mask (RFC 6455, 5.2) has room there. */
export const frameHeadroomBytes = 10;
/** A delta that is not much shorter than its page is no use. */
export const deltaBytesMax = pageBytes / 2;

const headerBytes = 28;
const hashSumOffset = 20;
const entryBytes = 8;
/** Where page data stands in a batch's memory: the header and all entries fit in front of it. */
const pageDataOffset = pageBytes;
export const batchBytesMax = pageDataOffset + batchDataBytesMax;

const bulkKind = 2;
const layoutVersion = 3;
const kinds = { zero: 0, raw: 1, delta: 2 } as const;

/**
 * Composes one batch in `bytes`, which the caller keeps unchanged until it was acknowledged. The sum of hashes and the entries stand
 * from byte 20 of it on, and move to right in front of the data at the end: where the header begins is known when their number is.
 */
export class PageBatchWriter {
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  #entries = 0;
  #dataBytes = 0;

  /** `bytes` are `batchBytesMax` long. */
  constructor(bytes: Uint8Array) {
    invariant(bytes.length === batchBytesMax, 'a page batch has its memory');
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, batchBytesMax);
    this.clear();
  }

  get isEmpty(): boolean {
    return this.#entries === 0;
  }

  /** True when a raw page has no room any more. */
  get isFull(): boolean {
    return this.#entries === batchEntriesMax || this.#dataBytes + pageBytes > batchDataBytesMax;
  }

  /** Where the next page's data belong, relative to `bytes`; copy them there before `addRaw` or `addDelta`. */
  get nextDataOffset(): number {
    return pageDataOffset + this.#dataBytes;
  }

  /** What a compressor may shorten. */
  get data(): Uint8Array {
    return this.bytes.subarray(pageDataOffset, this.nextDataOffset);
  }

  /** Of the frame as it is without compression. */
  get frameBytes(): number {
    return headerBytes + this.#entries * entryBytes + this.#dataBytes;
  }

  clear(): void {
    this.#entries = 0;
    this.#dataBytes = 0;
    this.#view.setBigUint64(hashSumOffset, 0n, true);
  }

  addZero(page: number): void {
    this.#add(page, kinds.zero, 0, 0n);
  }

  /** The page's bytes stand at `nextDataOffset` already. */
  addRaw(page: number, hash: bigint): void {
    this.#add(page, kinds.raw, pageBytes, hash);
  }

  /** The encoded change stands at `nextDataOffset` already; none at all is possible. */
  addDelta(page: number, hash: bigint, bytes: number): void {
    invariant(bytes <= deltaBytesMax, 'a long delta is no use');
    this.#add(page, kinds.delta, bytes, hash);
  }

  /** What the page kernel put there (packages/machine, assembly/page-kernel/fill-batch.ts) is what the batch has. */
  filled(entries: number, dataBytes: number): void {
    this.#entries = entries;
    this.#dataBytes = dataBytes;
  }

  /** The frame to send: a view of `bytes`, without gaps. Once a batch: its entries move. */
  finish(round: number, sequence: number): Uint8Array {
    return this.bytes.subarray(this.#writeHead(round, sequence, 0), this.nextDataOffset);
  }

  /** The same with `data` compressed: memory of its own. */
  finishCompressed(round: number, sequence: number, compressed: Uint8Array): Uint8Array {
    const start = this.#writeHead(round, sequence, compressed.length);
    const head = this.bytes.subarray(start, pageDataOffset);
    const room = new Uint8Array(frameHeadroomBytes + head.length + compressed.length);
    const frame = room.subarray(frameHeadroomBytes);
    frame.set(head);
    frame.set(compressed, head.length);
    return frame;
  }

  /** Returns where the header begins: right in front of the data. */
  #writeHead(round: number, sequence: number, compressedBytes: number): number {
    const start = pageDataOffset - headerBytes - this.#entries * entryBytes;
    this.bytes.copyWithin(start + hashSumOffset, hashSumOffset, headerBytes + this.#entries * entryBytes);
    this.#view.setUint8(start, bulkKind);
    this.#view.setUint8(start + 1, layoutVersion);
    this.#view.setUint16(start + 2, this.#entries, true);
    this.#view.setUint32(start + 4, round, true);
    this.#view.setUint32(start + 8, sequence, true);
    this.#view.setUint32(start + 12, this.#dataBytes, true);
    this.#view.setUint32(start + 16, compressedBytes, true);
    return start;
  }

  #add(page: number, kind: number, bytes: number, hash: bigint): void {
    invariant(
      this.#entries < batchEntriesMax && this.#dataBytes + bytes <= batchDataBytesMax,
      'a full page batch is sent before more is added',
    );
    const at = headerBytes + this.#entries * entryBytes;
    this.#view.setUint32(at, page, true);
    this.#view.setUint16(at + 4, kind, true);
    this.#view.setUint16(at + 6, bytes, true);
    const hashSum = this.#view.getBigUint64(hashSumOffset, true) + hash;
    this.#view.setBigUint64(hashSumOffset, BigInt.asUintN(64, hashSum), true);
    this.#entries += 1;
    this.#dataBytes += bytes;
  }
}

export interface PageEntry {
  readonly page: number;
  readonly kind: keyof typeof kinds;
  /** Where the page's data begin, from the start of the batch's data, and how many they are. */
  readonly dataOffset: number;
  readonly dataBytes: number;
}

export interface PageBatch {
  readonly round: number;
  readonly sequence: number;
  readonly entryCount: number;
  /** Where the entries begin in the frame, right behind the sum of hashes: 8 bytes each. */
  readonly entriesOffset: number;
  /** Where the data begin in the frame. */
  readonly dataOffset: number;
  /** How many they are, once they are not compressed any more. */
  readonly dataBytes: number;
  readonly isCompressed: boolean;
}

/**
 * Reads a frame from a peer, which is a stranger: every length and number is checked first. Returns a sentence that
 * says what is wrong instead of a batch. `pages` is the size of the guest's RAM.
 */
export function readPageBatch(frame: Uint8Array, pages: number): PageBatch | string {
  if (frame.length < headerBytes) return 'a page batch is shorter than its header';
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
  if (view.getUint8(0) !== bulkKind || view.getUint8(1) !== layoutVersion)
    return 'a page batch of another layout';
  const count = view.getUint16(2, true);
  if (count === 0 || count > batchEntriesMax) return `a page batch of ${count} entries`;
  const dataBytes = view.getUint32(12, true);
  if (dataBytes > batchDataBytesMax) return `a page batch of ${dataBytes} bytes of data`;
  const compressedBytes = view.getUint32(16, true);
  if (compressedBytes > dataBytes) return 'compressed data that are longer than what they stand for';
  const dataOffset = headerBytes + count * entryBytes;
  const bytes = dataOffset + (compressedBytes === 0 ? dataBytes : compressedBytes);
  if (frame.length !== bytes) return `a page batch of ${frame.length} bytes instead of ${bytes}`;
  const wrong = wrongEntries(view, count, { pages, dataBytes });
  if (wrong !== null) return wrong;
  return {
    round: view.getUint32(4, true),
    sequence: view.getUint32(8, true),
    entryCount: count,
    entriesOffset: headerBytes,
    dataOffset,
    dataBytes,
    isCompressed: compressedBytes !== 0,
  };
}

/** Null, or what is wrong. On the way of each page: it makes no objects. */
function wrongEntries(
  view: DataView,
  count: number,
  { pages, dataBytes }: { readonly pages: number; readonly dataBytes: number },
): string | null {
  let dataOffset = 0;
  for (let index = 0; index < count; index++) {
    const at = headerBytes + index * entryBytes;
    const page = view.getUint32(at, true);
    const kind = view.getUint16(at + 4, true);
    const bytes = view.getUint16(at + 6, true);
    if (page >= pages) return `page ${page} of a guest that has ${pages}`;
    if (kind > kinds.delta) return `a page of kind ${kind}`;
    if (!isRightLength(kind, bytes)) return `a ${kindName(kind)} page of ${bytes} bytes`;
    dataOffset += bytes;
  }
  return dataOffset === dataBytes ? null : 'more or less page data than the entries say';
}

/** Of a batch that was read from this frame. */
export function pageEntries(frame: Uint8Array, { entryCount }: PageBatch): PageEntry[] {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
  let dataOffset = 0;
  return Array.from({ length: entryCount }, (_, index) => {
    const at = headerBytes + index * entryBytes;
    const dataBytes = view.getUint16(at + 6, true);
    dataOffset += dataBytes;
    return {
      page: view.getUint32(at, true),
      kind: kindName(view.getUint16(at + 4, true)),
      dataOffset: dataOffset - dataBytes,
      dataBytes,
    };
  });
}

function kindName(kind: number): PageEntry['kind'] {
  if (kind === kinds.zero) return 'zero';
  return kind === kinds.raw ? 'raw' : 'delta';
}

function isRightLength(kind: number, bytes: number): boolean {
  if (kind === kinds.delta) return bytes <= deltaBytesMax;
  return bytes === (kind === kinds.raw ? pageBytes : 0);
}
