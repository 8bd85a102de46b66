/**
 * Puts pages of live RAM into batches: copies each once, then as nothing if it is zero, as its change if its last sent
 * copy is at hand and little changed, else whole. The vCPU may run meanwhile.
 */
import { type CoreModules, type MachineMemory, pageBytes } from '@skein/machine';
import { batchBytesMax, deltaBytesMax, type PageBatchWriter, type PageEntry } from '@skein/shared';
import { PageHashes } from './page-hashes.ts';
import { PageKernel } from './page-kernel.ts';
import { SentCopies } from './sent-copies.ts';

/** 64 MiB: the pages that a busy guest writes again and again. More would be memory that its host has not promised. */
const copiesMax = 16_384;

export interface PageEncoderOptions {
  readonly modules: CoreModules;
  readonly memory: MachineMemory;
  /** Batches that are composed in this encoder's memory. */
  readonly batches: number;
  readonly hasDeltas: boolean;
}

export class PageEncoder {
  readonly hashes: PageHashes;
  readonly #kernel: PageKernel;
  readonly #copies: SentCopies | null;
  readonly #batches: number;
  readonly #copiesStart: number;
  readonly #scratch: number;

  constructor({ modules, memory, batches, hasDeltas }: PageEncoderOptions) {
    const slots = hasDeltas ? Math.min(copiesMax, memory.pages) : 0;
    this.#batches = batches;
    this.hashes = new PageHashes(memory.pages);
    this.#copies = hasDeltas ? new SentCopies(memory.pages, slots) : null;
    this.#scratch = PageKernel.start + batches * batchBytesMax;
    this.#copiesStart = this.#scratch + pageBytes;
    // What is not used of it is never touched, and takes nothing.
    this.#kernel = new PageKernel(modules, memory, this.#copiesStart - PageKernel.start + slots * pageBytes);
  }

  /** Memory for the batch in this slot. */
  batchMemory(slot: number): Uint8Array<ArrayBuffer> {
    const start = PageKernel.start + (slot % this.#batches) * batchBytesMax;
    return this.#kernel.bytes.subarray(start, start + batchBytesMax);
  }

  /** `isHot`: it was sent before, and may well be sent again. */
  add(writer: PageBatchWriter, page: number, isHot: boolean): PageEntry['kind'] {
    const pointer = writer.bytes.byteOffset + writer.nextDataOffset;
    this.#kernel.copyFromLive(page, pointer);
    if (this.#kernel.isZero(pointer)) {
      writer.addZero(page);
      this.hashes.set(page, 0n);
      this.#copies?.drop(page);
      return 'zero';
    }
    const hash = this.#kernel.hash(pointer, page);
    this.hashes.set(page, hash);
    const deltaLength = this.#delta(page, pointer);
    if (isHot) this.#keep(page, pointer);
    if (deltaLength === null) {
      writer.addRaw(page, hash);
      return 'raw';
    }
    this.#kernel.bytes.copyWithin(pointer, this.#scratch, this.#scratch + deltaLength);
    writer.addDelta(page, hash, deltaLength);
    return 'delta';
  }

  /** Its bytes, in the scratch area; null if there is no copy, or too much changed. */
  #delta(page: number, pointer: number): number | null {
    const slot = this.#copies?.slotOf(page) ?? null;
    if (slot === null) return null;
    const length = this.#kernel.encodeDelta(this.#copyAt(slot), pointer, this.#scratch, deltaBytesMax);
    return length < 0 ? null : length;
  }

  #keep(page: number, pointer: number): void {
    if (this.#copies === null) return;
    this.#kernel.bytes.copyWithin(this.#copyAt(this.#copies.take(page)), pointer, pointer + pageBytes);
  }

  #copyAt(slot: number): number {
    return this.#copiesStart + slot * pageBytes;
  }
}
