/**
 * Applies page batches to the RAM of a machine that does not run. Each raw page is hashed where it was written and
 * compared with what the source hashed: a byte that changed on its way is refused here, at once.
 */
import { zstdDecompressSync } from 'node:zlib';
import { type CoreModules, LivePages, type MachineMemory } from '@skein/machine';
import { batchDataBytesMax, type PageBatch, type PageEntry, pageBytes, readPageBatch } from '@skein/shared';
import { ReceiveCredits } from '@skein/transport';
import { PageHashes } from './page-hashes.ts';
import { PageKernel } from './page-kernel.ts';
import { windowBytes } from './page-sender.ts';

/** Pages go from the socket's buffer straight to RAM, while a core's cache still has them. */
const socketBufferBytes = 256 << 10;
/** Behind the socket's buffer: data that had to be moved or decompressed, and a page that is being changed. */
const dataArea = PageKernel.start + socketBufferBytes;
const changedPage = dataArea + batchDataBytesMax;

export type Applied =
  | { readonly kind: 'applied'; readonly acknowledgeBytes: number }
  | { readonly kind: 'refused'; readonly code: PageRefusalCode; readonly reason: string };

/** It is other than what its sender hashed; or it cannot be, whoever sent it. */
export type PageRefusalCode = 'migration.page-mismatch' | 'migration.pages-invalid';

export class PageReceiver {
  readonly hashes: PageHashes;
  readonly #memory: MachineMemory;
  readonly #live: LivePages;
  readonly #kernel: PageKernel;
  readonly #credits = new ReceiveCredits(windowBytes);
  #batches = 0;

  constructor(modules: CoreModules, memory: MachineMemory) {
    this.#memory = memory;
    this.#live = new LivePages(modules, memory);
    this.#kernel = new PageKernel(modules, memory, changedPage + pageBytes - PageKernel.start);
    this.hashes = new PageHashes(memory.pages);
  }

  get batches(): number {
    return this.#batches;
  }

  /** For the link on which the pages come: a frame that stands in it is copied once, to where it belongs. */
  get socketBuffer(): Uint8Array<ArrayBuffer> {
    return this.#kernel.bytes.subarray(PageKernel.start, PageKernel.start + socketBufferBytes);
  }

  /** These come later: what stands in their place counts for nothing. */
  withhold(bitmap: Uint32Array): void {
    this.hashes.forget(bitmap);
    this.#memory.setMissing(bitmap);
  }

  apply(frame: Uint8Array): Applied {
    const batch = readPageBatch(frame, this.#memory.pages);
    if (typeof batch === 'string') return invalid(batch);
    if (batch.sequence !== this.#batches)
      return invalid(`page batch ${batch.sequence} came where ${this.#batches} was due`);
    const start = this.#dataAddress(frame, batch);
    if (start === null) return invalid('compressed pages that cannot be decompressed');
    const isFollowing = this.#memory.missingPages > 0;
    for (const entry of batch.entries) {
      if (isFollowing && !this.#memory.isMissing(entry.page))
        return invalid(`page ${entry.page} is the guest's already`);
      const refused = this.#applyPage(entry, start);
      if (refused !== null) return refused;
      if (isFollowing) this.#memory.arrived(entry.page);
    }
    this.#batches += 1;
    return { kind: 'applied', acknowledgeBytes: this.#credits.applied(frame.length) };
  }

  /** What was applied and not acknowledged yet. */
  flush(): number {
    return this.#credits.flush();
  }

  /** Null, or what is wrong with it. */
  #applyPage(
    { page, kind, dataOffset, dataBytes, hash }: PageEntry,
    start: number,
  ): Extract<Applied, { kind: 'refused' }> | null {
    if (kind === 'zero') this.#clear(page);
    else {
      const source = kind === 'raw' ? start + dataOffset : this.#changed(page, start + dataOffset, dataBytes);
      if (source === null) return invalid(`page ${page} came as no change of a page`);
      this.#kernel.copyToLive(page, source);
      this.#memory.markTouched(page);
    }
    const applied = kind === 'zero' ? 0n : this.#live.hash(page);
    if (applied !== hash) {
      const reason = `page ${page} is not what the source sent`;
      return { kind: 'refused', code: 'migration.page-mismatch', reason };
    }
    this.hashes.set(page, applied);
    return null;
  }

  /** Where the changed page stands; null if the bytes are no change. What stands in RAM is untouched so far. */
  #changed(page: number, delta: number, bytes: number): number | null {
    this.#kernel.copyFromLive(page, changedPage);
    return this.#kernel.applyDelta(delta, bytes, changedPage) ? changedPage : null;
  }

  /** Where the kernel finds a batch's data; those of a frame that came by itself, or compressed, are put there first. */
  #dataAddress(frame: Uint8Array, { dataOffset, dataBytes, isCompressed }: PageBatch): number | null {
    if (!isCompressed && frame.buffer === this.#kernel.bytes.buffer) return frame.byteOffset + dataOffset;
    const data = isCompressed
      ? decompress(frame.subarray(dataOffset), dataBytes)
      : frame.subarray(dataOffset);
    if (data === null) return null;
    this.#kernel.bytes.set(data, dataArea);
    return dataArea;
  }

  /** A zero page is not written where nothing stands: untouched memory stays unallocated. */
  #clear(page: number): void {
    if (this.#memory.isTouched(page)) this.#memory.page(page).fill(0);
  }
}

function invalid(reason: string): Extract<Applied, { kind: 'refused' }> {
  return { kind: 'refused', code: 'migration.pages-invalid', reason };
}

/** Null unless it comes to exactly so many bytes. */
function decompress(compressed: Uint8Array, bytes: number): Uint8Array | null {
  try {
    const data = zstdDecompressSync(compressed, { maxOutputLength: bytes });
    return data.length === bytes ? data : null;
  } catch {
    return null;
  }
}
