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

export class UsedCode {
  readonly #core: Pick<CoreExports, 'saveUsedCode' | 'decodeAhead'>;
  /** Where the core reads and writes records. */
  readonly #records: Uint8Array;

  constructor(
    modules: CoreModules,
    memory: WebAssembly.Memory,
    core: Pick<CoreExports, 'saveUsedCode' | 'decodeAhead'>,
  ) {
    this.#core = core;
    const bytes = layoutOf(modules, 'CODE_SLOTS') * usedCodePageBytes;
    this.#records = new Uint8Array(memory.buffer, layoutOf(modules, 'USED_CODE'), bytes);
  }

  /** Since Machine.watchCode. Pages first that were looked up most often, which leaves out looks by fast entries: the order is a guess. */
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

  /** See Machine.decodeAhead. */
  decode(
    told: Uint8Array,
    first: number,
    count: number,
  ): { readonly decoded: number; readonly next: number } {
    const end = Math.min(Math.floor(told.length / usedCodePageBytes), first + count);
    let decoded = 0;
    for (let record = first; record < end; record++) {
      this.#records.set(recordAt(told, record));
      decoded += this.#core.decodeAhead();
    }
    return { decoded, next: first + count };
  }
}

function recordAt(bytes: Uint8Array, record: number): Uint8Array {
  return bytes.subarray(record * usedCodePageBytes, (record + 1) * usedCodePageBytes);
}
