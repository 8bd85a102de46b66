/**
 * Applies page batches to the RAM of a machine that does not run, or waits for them. Each page is hashed where it was written, and the
 * batch's sum compared with what the source hashed: a byte that changed on its way is refused here, at once.
 */
import { zstdDecompressSync } from 'node:zlib';
import { type CoreModules, LivePages, type MachineMemory, pageBytes } from '@skein/machine';
import {
  batchBytesMax,
  batchDataBytesMax,
  type PageBatch,
  type PageEntry,
  pageEntries,
  readPageBatch,
} from '@skein/shared';
import { ReceiveCredits } from '@skein/transport';
import { PageHashes, placeHashes } from './page-hashes.ts';
import { KernelLayout, PageKernel } from './page-kernel.ts';
import { windowBytes } from './page-sender.ts';

/** Pages go from the socket's buffer straight to RAM, while a core's cache still has them. */
const socketBufferBytes = 1 << 20;

export type Applied =
  | { readonly kind: 'applied'; readonly acknowledgeBytes: number }
  | { readonly kind: 'refused'; readonly code: PageRefusalCode; readonly reason: string };

/** It is other than what its sender hashed; or it cannot be, whoever sent it. */
export type PageRefusalCode = 'migration.page-mismatch' | 'migration.pages-invalid';

export class PageReceiver {
  readonly hashes: PageHashes;
  readonly #memory: MachineMemory;
  readonly #kernel: PageKernel;
  readonly #socketBuffer: number;
  /** For a frame that came by itself, and for what a compressed one stands for. */
  readonly #frame: number;
  readonly #data: number;
  readonly #credits = new ReceiveCredits(windowBytes);
  #batches = 0;
  #round = 0;

  constructor(modules: CoreModules, memory: MachineMemory) {
    this.#memory = memory;
    const layout = new KernelLayout();
    this.#socketBuffer = layout.take(socketBufferBytes);
    this.#frame = layout.take(batchBytesMax);
    this.#data = layout.take(batchDataBytesMax);
    const changed = layout.take(pageBytes);
    const places = placeHashes(layout, memory.pages);
    this.#kernel = new PageKernel(modules, memory, layout.end, new LivePages(modules, memory));
    this.#kernel.calls.setChanged(changed);
    this.hashes = new PageHashes(this.#kernel, places);
  }

  get batches(): number {
    return this.#batches;
  }

  /** Of the last batch. */
  get round(): number {
    return this.#round;
  }

  /** For the link on which the pages come: a frame that stands in it is copied once, to where it belongs. */
  get socketBuffer(): Uint8Array<SharedArrayBuffer> {
    return this.#kernel.bytes.subarray(this.#socketBuffer, this.#socketBuffer + socketBufferBytes);
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
    const place = this.#place(frame, batch);
    if (place === null) return invalid('compressed pages that cannot be decompressed');
    const refused =
      this.#memory.missingPages > 0
        ? this.#applyMissing(frame, batch, place)
        : this.#applyEntries(frame, batch, place);
    if (refused !== null) return refused;
    this.#batches += 1;
    this.#round = batch.round;
    return { kind: 'applied', acknowledgeBytes: this.#credits.applied(frame.length) };
  }

  /** What was applied and not acknowledged yet. */
  flush(): number {
    return this.#credits.flush();
  }

  #applyEntries(frame: Uint8Array, batch: PageBatch, { entries, data }: Place): Refused | null {
    const applied = this.#kernel.calls.applyEntries(entries, batch.entryCount, data);
    if (applied < batch.entryCount)
      return invalid(`page ${pageEntries(frame, batch)[applied]?.page} came as no change of a page`);
    return this.#kernel.calls.isAnother.value === 0 ? null : mismatch(pageEntries(frame, batch));
  }

  /** Beside a guest that waits for some of them: they are its own once all are what the source sent, and no other is touched. */
  #applyMissing(frame: Uint8Array, batch: PageBatch, place: Place): Refused | null {
    const pages = pageEntries(frame, batch).map(({ page }) => page);
    const present = pages.find((page) => !this.#memory.isMissing(page));
    if (present !== undefined) return invalid(`page ${present} is the guest's already`);
    if (new Set(pages).size < pages.length) return invalid('a page batch has a page twice');
    const refused = this.#applyEntries(frame, batch, place);
    if (refused !== null) return refused;
    for (const page of pages) this.#memory.arrived(page);
    return null;
  }

  /** Where the kernel finds a batch; one that came by itself, or compressed, is put there first. */
  #place(frame: Uint8Array, { entriesOffset, dataOffset, dataBytes, isCompressed }: PageBatch): Place | null {
    const { bytes } = this.#kernel;
    let start = frame.byteOffset;
    if (frame.buffer !== bytes.buffer) {
      start = this.#frame;
      bytes.set(frame, start);
    }
    const entries = start + entriesOffset;
    if (!isCompressed) return { entries, data: start + dataOffset };
    const data = decompress(frame.subarray(dataOffset), dataBytes);
    if (data === null) return null;
    bytes.set(data, this.#data);
    return { entries, data: this.#data };
  }
}

/** Offsets in the kernel's memory. */
interface Place {
  readonly entries: number;
  readonly data: number;
}

type Refused = Extract<Applied, { kind: 'refused' }>;

function invalid(reason: string): Refused {
  return { kind: 'refused', code: 'migration.pages-invalid', reason };
}

function mismatch(entries: readonly PageEntry[]): Refused {
  const pages = entries.map(({ page }) => page);
  const [first, last] = [Math.min(...pages), Math.max(...pages)];
  const which =
    pages.length === 1 ? `page ${first}` : `one of ${pages.length} pages from ${first} to ${last}`;
  return { kind: 'refused', code: 'migration.page-mismatch', reason: `${which} is not what the source sent` };
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
