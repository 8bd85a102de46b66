/**
 * Applies page batches to the RAM of a machine that does not run. Each raw page is hashed where it was written and
 * compared with what the source hashed: a byte that changed on its way is refused here, at once.
 */
import { type CoreModules, LivePages, type MachineMemory } from '@skein/machine';
import { readPageBatch } from '@skein/shared';
import { ReceiveCredits } from '@skein/transport';
import { PageHashes } from './page-hashes.ts';
import { windowBytes } from './page-sender.ts';

export type Applied =
  | { readonly kind: 'applied'; readonly acknowledgeBytes: number }
  | { readonly kind: 'refused'; readonly reason: string };

export class PageReceiver {
  readonly hashes: PageHashes;
  readonly #memory: MachineMemory;
  readonly #live: LivePages;
  readonly #credits = new ReceiveCredits(windowBytes);
  #batches = 0;

  constructor(modules: CoreModules, wasmMemory: WebAssembly.Memory, memory: MachineMemory) {
    this.#memory = memory;
    this.#live = new LivePages(modules, wasmMemory);
    this.hashes = new PageHashes(memory.pages);
  }

  get batches(): number {
    return this.#batches;
  }

  apply(frame: Uint8Array): Applied {
    const batch = readPageBatch(frame, this.#memory.pages);
    if (typeof batch === 'string') return { kind: 'refused', reason: batch };
    if (batch.sequence !== this.#batches) {
      return { kind: 'refused', reason: `page batch ${batch.sequence} came where ${this.#batches} was due` };
    }
    for (const { page, bytes, hash } of batch.entries) {
      if (bytes === null) this.#clear(page);
      else {
        this.#memory.page(page).set(bytes);
        this.#memory.markTouched(page);
      }
      const applied = bytes === null ? 0n : this.#live.hash(page);
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

  /** A zero page is not written where nothing stands: untouched memory stays unallocated. */
  #clear(page: number): void {
    if (this.#memory.isTouched(page)) this.#memory.page(page).fill(0);
  }
}
