/** Puts pages of live RAM into batches in the page kernel's memory, from where they are sent. The vCPU may run meanwhile. */
import { type CoreModules, type MachineMemory, pageBytes } from '@skein/machine';
import { batchBytesMax, PageBatchWriter } from '@skein/shared';
import { PageHashes, placeHashes } from './page-hashes.ts';
import { KernelLayout, PageKernel } from './page-kernel.ts';

/** 64 MiB: the pages that a busy guest writes again and again. More would be memory that its host has not promised. */
const copiesMax = 16_384;
const wordBytes = 4;

export interface PageEncoderOptions {
  readonly modules: CoreModules;
  readonly memory: MachineMemory;
  /** Batches that are composed in this encoder's memory. */
  readonly batches: number;
  readonly hasDeltas: boolean;
}

export interface Filling {
  /** The list's first page that is to go, and where it ends. */
  readonly from: number;
  readonly end: number;
  /** Pages that the guest does not need are left out: the target has nothing in their place. */
  readonly skipsFree: boolean;
  /** They may well be sent again, as what changed in them. */
  readonly keepsCopies: boolean;
}

/** What one batch took of the list. */
export interface Filled {
  readonly taken: number;
  readonly zeroPages: number;
  readonly freePages: number;
  readonly deltaPages: number;
  /** Left out. */
  readonly rewrittenPages: number;
}

export class PageEncoder {
  readonly hashes: PageHashes;
  readonly #kernel: PageKernel;
  readonly #writers: readonly PageBatchWriter[];
  readonly #bitmap: number;
  readonly #list: number;
  readonly #rewritten: number;
  readonly #found: number;
  readonly #scratch: number;
  readonly #none: Uint32Array;

  constructor({ modules, memory, batches, hasDeltas }: PageEncoderOptions) {
    const { pages } = memory;
    const layout = new KernelLayout();
    const places = Array.from({ length: batches }, () => layout.take(batchBytesMax));
    this.#scratch = layout.take(pageBytes);
    const hashPlaces = placeHashes(layout, pages);
    this.#bitmap = hashPlaces.bitmap;
    this.#list = layout.take(pages * wordBytes);
    this.#rewritten = layout.take(pages / 8);
    this.#found = layout.take(pages / 8);
    this.#none = new Uint32Array(pages / 32);
    const copySlots = hasDeltas ? Math.min(copiesMax, pages) : 0;
    const slotOf = layout.take(pages * wordBytes);
    const pageOf = layout.take(copySlots * wordBytes);
    const copies = layout.take(copySlots * pageBytes);
    this.#kernel = new PageKernel(modules, memory, layout.end);
    this.hashes = new PageHashes(this.#kernel, hashPlaces);
    this.#kernel.calls.setScratch(this.#scratch);
    this.#kernel.calls.setRewritten(this.#rewritten);
    this.#kernel.calls.setCopies(slotOf, pageOf, copies, copySlots);
    const { bytes } = this.#kernel;
    this.#writers = places.map((at) => new PageBatchWriter(bytes.subarray(at, at + batchBytesMax)));
  }

  /** The batch in this slot. */
  writer(slot: number): PageBatchWriter {
    return this.#writers[slot % this.#writers.length] as PageBatchWriter;
  }

  /** The pages of a bitmap are what `fill` takes from; returns how many they are. */
  list(bitmap: Uint32Array): number {
    this.leaveOut(this.#none);
    this.#kernel.writeWords(this.#bitmap, bitmap);
    return this.#kernel.calls.listPages(this.#bitmap, bitmap.length, this.#list);
  }

  /** So are these. */
  listNumbers(pages: readonly number[]): number {
    this.leaveOut(this.#none);
    this.#kernel.writeWords(this.#list, Uint32Array.from(pages));
    return pages.length;
  }

  /** The number of a page of the list. */
  listed(index: number): number {
    return this.#kernel.readWords(this.#list + index * wordBytes, 1)[0] ?? 0;
  }

  /** Of the pages that were listed last, in a range that begins and ends with a word of their bitmap: those that are not zero now, a bit each. */
  nonzero(firstPage: number, pages: number): Uint32Array {
    const words = pages / 32;
    this.#kernel.calls.findNonzero(
      this.#bitmap + firstPage / 8,
      words,
      firstPage,
      this.#found,
      this.#scratch,
    );
    return this.#kernel.readWords(this.#found, words);
  }

  /** Of the list's pages these have been written again: what is filled from now on is without them, until there is another list. */
  leaveOut(bitmap: Uint32Array): void {
    this.#kernel.writeWords(this.#rewritten, bitmap);
  }

  /** Fills a batch from the list. */
  fill(writer: PageBatchWriter, { from, end, skipsFree, keepsCopies }: Filling): Filled {
    const { calls } = this.#kernel;
    const list = this.#list + from * wordBytes;
    const { byteOffset } = writer.bytes;
    const taken = calls.fillBatch(byteOffset, list, end - from, Number(skipsFree), Number(keepsCopies));
    writer.filled(calls.entries.value, calls.dataBytes.value);
    const { zeroPages, freePages, deltaPages, rewrittenPages } = calls;
    return {
      taken,
      zeroPages: zeroPages.value,
      freePages: freePages.value,
      deltaPages: deltaPages.value,
      rewrittenPages: rewrittenPages.value,
    };
  }
}
