/**
 * Which of its code a guest used lately, as one machine tells another: records of {page u32, lookups u32, a bit for each of 2,048
 * half words of the page}. A hint: whatever stands in it, the guest computes the same.
 */
import { type CoreExports, type CoreModules, layoutOf } from './core-module.ts';

/** What a guest at rest goes through between two sleeps is in a hundred pages; a busy one's in a few more. */
const pagesMax = 160;
const pageBitsBytes = 256;
/** Of one record, as the core has it (layout.ts, USED_CODE_BYTES). */
export const usedCodePageBytes = 2 * 4 + pageBitsBytes;

type UsedCodeExports = Pick<CoreExports, 'watchCode' | 'saveUsedCode' | 'decodeAhead' | 'dropRewritten'>;

export class UsedCode {
  readonly #core: UsedCodeExports;
  /** Where the core reads and writes records. */
  readonly #records: Uint8Array;

  constructor(modules: CoreModules, memory: WebAssembly.Memory, core: UsedCodeExports) {
    this.#core = core;
    const bytes = layoutOf(modules, 'CODE_SLOTS') * usedCodePageBytes;
    this.#records = new Uint8Array(memory.buffer, layoutOf(modules, 'USED_CODE'), bytes);
  }

  /** From now on the machine keeps in mind which code its guest uses: `read`. Between slices. */
  watch(): void {
    this.#core.watchCode();
  }

  /**
   * Of the pages of code that were looked up since `watch` what is decoded, for `decode` of the machine that the guest goes on in. Pages
   * first that were looked up most often, which leaves out looks by fast entries: the order is a guess.
   */
  read(): Uint8Array {
    const count = this.#core.saveUsedCode();
    const all = this.#records.slice(0, count * usedCodePageBytes);
    const view = new DataView(all.buffer);
    const lookups = (record: number): number => view.getUint32(record * usedCodePageBytes + 4, true);
    const order = Array.from({ length: count }, (_, record) => record).sort(
      (a, b) => lookups(b) - lookups(a),
    );
    const told = new Uint8Array(Math.min(count, pagesMax) * usedCodePageBytes);
    order.slice(0, pagesMax).forEach((record, index) => {
      told.set(recordAt(all, record), index * usedCodePageBytes);
    });
    return told;
  }

  /**
   * Of a guest that does not run yet, as far as its RAM is here: decodes what `read` of the machine that it ran in named, from the
   * page `first` on so many. Returns of how many there was something to decode, and where to go on. Who brings RAM meanwhile
   * notes it (MachineMemory.rewrittenAddress): `dropRewritten` before the first step.
   */
  decode(
    told: Uint8Array,
    first = 0,
    count = Number.POSITIVE_INFINITY,
  ): { readonly decoded: number; readonly next: number } {
    const end = Math.min(Math.floor(told.length / usedCodePageBytes), first + count);
    let decoded = 0;
    for (let record = first; record < end; record++) {
      this.#records.set(recordAt(told, record));
      decoded += this.#core.decodeAhead();
    }
    return { decoded, next: first + count };
  }

  /**
   * Forgets code that was decoded from pages that others have written since, or that are missing (MachineMemory.setMissing). Not of a
   * guest that runs: of pages that never were decoded ahead it is not known that they stayed as they are.
   */
  dropRewritten(): void {
    this.#core.dropRewritten();
  }
}

function recordAt(bytes: Uint8Array, record: number): Uint8Array {
  return bytes.subarray(record * usedCodePageBytes, (record + 1) * usedCodePageBytes);
}
