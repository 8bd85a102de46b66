/**
 * Pages of guest RAM on the wire: batches in one fixed layout, made to be composed in place (each page is copied
 * once, straight to where it is sent from) and checked before anything is written. Little endian, our own layout.
 *
 *   0  u8   kind of the WebSocket message: bulk (2)
 *   1  u8   layout version (1)
 *   2  u16  entries
 *   4  u32  round
 *   8  u32  sequence of the batch, from 0
 *  12  u32  raw pages among the entries
 *  16  entries of 16 bytes: u32 page number, u32 kind (0 zero, 1 raw), u64 position-keyed page hash
 *  ..  page data: 4,096 bytes for each raw entry, in order, to the end
 *
 * Omitted: delta pages (kind 2 is free for them) and compression; a page that got dirty again is sent whole.
 */

import { invariant } from '../invariant.ts';

export const pageBytes = 4096;
export const batchEntriesMax = 255;
/** Raw pages in one batch: 64 KiB of data, where WebSocket framing stops to cost (design: Moving memory). */
export const batchRawPagesMax = 16;

/** Where page data stands in a batch's memory: the header and all entries fit in front of it. */
const pageDataOffset = 4096;
export const batchBytesMax = pageDataOffset + batchRawPagesMax * pageBytes;

const bulkKind = 2;
const layoutVersion = 1;
const headerBytes = 16;
const entryBytes = 16;
const zeroKind = 0;
const rawKind = 1;

/** Composes one batch in `bytes`, which the caller keeps unchanged until it was acknowledged. */
export class PageBatchWriter {
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  /** Entries wait here: where the header begins is known when their number is. */
  readonly #entryBytes = new Uint8Array(batchEntriesMax * entryBytes);
  readonly #entryView = new DataView(this.#entryBytes.buffer);
  #entries = 0;
  #rawPages = 0;

  /** `bytes` are `batchBytesMax` long. */
  constructor(bytes: Uint8Array) {
    invariant(bytes.length === batchBytesMax, 'a page batch has its memory');
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, batchBytesMax);
  }

  get isEmpty(): boolean {
    return this.#entries === 0;
  }

  get isFull(): boolean {
    return this.#entries === batchEntriesMax || this.#rawPages === batchRawPagesMax;
  }

  /** Where the next raw page's bytes belong, relative to `bytes`; copy them there before `addRaw`. */
  get nextPageOffset(): number {
    return pageDataOffset + this.#rawPages * pageBytes;
  }

  clear(): void {
    this.#entries = 0;
    this.#rawPages = 0;
  }

  addZero(page: number): void {
    this.#add(page, zeroKind, 0n);
  }

  /** The page's bytes stand at `nextPageOffset` already. */
  addRaw(page: number, hash: bigint): void {
    this.#add(page, rawKind, hash);
    this.#rawPages += 1;
  }

  /** The frame to send: a view of `bytes`, without gaps. */
  finish(round: number, sequence: number): Uint8Array {
    const start = pageDataOffset - headerBytes - this.#entries * entryBytes;
    this.#view.setUint8(start, bulkKind);
    this.#view.setUint8(start + 1, layoutVersion);
    this.#view.setUint16(start + 2, this.#entries, true);
    this.#view.setUint32(start + 4, round, true);
    this.#view.setUint32(start + 8, sequence, true);
    this.#view.setUint32(start + 12, this.#rawPages, true);
    this.bytes.set(this.#entryBytes.subarray(0, this.#entries * entryBytes), start + headerBytes);
    return this.bytes.subarray(start, this.nextPageOffset);
  }

  #add(page: number, kind: number, hash: bigint): void {
    invariant(!this.isFull, 'a full page batch is sent before more is added');
    const at = this.#entries * entryBytes;
    this.#entryView.setUint32(at, page, true);
    this.#entryView.setUint32(at + 4, kind, true);
    this.#entryView.setBigUint64(at + 8, hash, true);
    this.#entries += 1;
  }
}

export interface PageEntry {
  readonly page: number;
  /** Where the page's 4,096 bytes begin in the frame; null for a zero page. */
  readonly dataOffset: number | null;
  readonly hash: bigint;
}

export interface PageBatch {
  readonly round: number;
  readonly sequence: number;
  readonly entries: readonly PageEntry[];
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
  const rawPages = view.getUint32(12, true);
  if (rawPages > batchRawPagesMax) return `a page batch of ${rawPages} raw pages`;
  const dataOffset = headerBytes + count * entryBytes;
  const bytes = dataOffset + rawPages * pageBytes;
  if (frame.length !== bytes) return `a page batch of ${frame.length} bytes instead of ${bytes}`;
  const entries: PageEntry[] = [];
  let offset = dataOffset;
  for (let index = 0; index < count; index++) {
    const at = headerBytes + index * entryBytes;
    const page = view.getUint32(at, true);
    const kind = view.getUint32(at + 4, true);
    const hash = view.getBigUint64(at + 8, true);
    if (page >= pages) return `page ${page} of a guest that has ${pages}`;
    if (kind === zeroKind) {
      if (hash !== 0n) return 'a zero page with a hash';
      entries.push({ page, dataOffset: null, hash });
    } else if (kind === rawKind) {
      if (offset === bytes) return 'more raw pages than the batch has data for';
      entries.push({ page, dataOffset: offset, hash });
      offset += pageBytes;
    } else {
      return `a page of kind ${kind}`;
    }
  }
  if (offset !== bytes) return 'more page data than raw pages';
  return { round: view.getUint32(4, true), sequence: view.getUint32(8, true), entries };
}
