/**
 * Applies page batches to the RAM of a machine that does not run. Each raw page is hashed where it was written and
 * compared with what the source hashed: a byte that changed on its way is refused here, at once.
 */
import { type CoreModules, LivePages, type MachineMemory } from '@skein/machine';
import { batchBytesMax, readPageBatch } from '@skein/shared';
import { ReceiveCredits } from '@skein/transport';
import { PageHashes } from './page-hashes.ts';
import { PageKernel } from './page-kernel.ts';
import { windowBytes } from './page-sender.ts';

/** Pages go from the socket's buffer straight to RAM, while a core's cache still has them. */
const socketBufferBytes = 256 << 10;

export type Applied =
  | { readonly kind: 'applied'; readonly acknowledgeBytes: number }
  | { readonly kind: 'refused'; readonly reason: string };

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
    this.#kernel = new PageKernel(modules, memory, socketBufferBytes + batchBytesMax);
    this.hashes = new PageHashes(memory.pages);
  }

  get batches(): number {
    return this.#batches;
  }

  /** For the link on which the pages come: a frame that stands in it is copied once, to where it belongs. */
  get socketBuffer(): Uint8Array<ArrayBuffer> {
    return this.#kernel.bytes.subarray(PageKernel.start, PageKernel.start + socketBufferBytes);
  }

  apply(frame: Uint8Array): Applied {
    const batch = readPageBatch(frame, this.#memory.pages);
    if (typeof batch === 'string') return { kind: 'refused', reason: batch };
    if (batch.sequence !== this.#batches) {
      return { kind: 'refused', reason: `page batch ${batch.sequence} came where ${this.#batches} was due` };
    }
    const start = this.#addressOf(frame);
    for (const { page, dataOffset, hash } of batch.entries) {
      if (dataOffset === null) this.#clear(page);
      else {
        this.#kernel.copyToLive(page, start + dataOffset);
        this.#memory.markTouched(page);
      }
      const applied = dataOffset === null ? 0n : this.#live.hash(page);
      if (applied !== hash) return { kind: 'refused', reason: `page ${page} is not what the source sent` };
      this.hashes.set(page, applied);
    }
    this.#batches += 1;
    return { kind: 'applied', acknowledgeBytes: this.#credits.applied(frame.length) };
  }

  /** What was applied and not acknowledged yet. */
  flush(): number {
    return this.#credits.flush();
  }

  /** Where the kernel finds a frame; one that came by itself is put behind the socket's buffer first. */
  #addressOf(frame: Uint8Array): number {
    if (frame.buffer === this.#kernel.bytes.buffer) return frame.byteOffset;
    const address = PageKernel.start + socketBufferBytes;
    this.#kernel.bytes.set(frame, address);
    return address;
  }

  /** A zero page is not written where nothing stands: untouched memory stays unallocated. */
  #clear(page: number): void {
    if (this.#memory.isTouched(page)) this.#memory.page(page).fill(0);
  }
}
