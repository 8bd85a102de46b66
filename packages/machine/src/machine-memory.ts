/**
 * A machine's shared memory as other threads see it: RAM, the bitmaps of touched and dirty pages, and the word
 * that gets the vCPU's attention. Whoever writes RAM here must know that the machine is not runnable.
 */
import { type CoreModules, layoutOf } from './core-module.ts';

/** Bits for Machine.harvestDirty, one accumulator each (architecture: Dirty log). */
export const dirtyConsumers = { migration: 1, hash: 2, snapshot: 4, faultTolerance: 8 } as const;
export type DirtyConsumer = keyof typeof dirtyConsumers;

export const pageBytes = 4096;

export class MachineMemory {
  /** What everything below is a view of. */
  readonly wasm: WebAssembly.Memory;
  /** Where RAM begins in `wasm`. */
  readonly ramAddress: number;
  /** Where the bitmaps of pages that were ever written, and of those that are free, begin in `wasm`. */
  readonly touchedAddress: number;
  readonly freeAddress: number;
  /** Where whoever brings RAM to a machine that does not run yet notes which pages it has written. */
  readonly rewrittenAddress: number;
  /** All of the guest's RAM; offset 0 is guest physical 0x8000_0000. */
  readonly ram: Uint8Array<SharedArrayBuffer>;
  readonly pages: number;
  /** Poked by others, polled by the core every 16,384 steps, waited on by an idle vCPU. */
  readonly attention: Int32Array<SharedArrayBuffer>;
  readonly #touched: Uint32Array<SharedArrayBuffer>;
  readonly #free: Uint32Array<SharedArrayBuffer>;
  readonly #present: Uint32Array<SharedArrayBuffer>;
  /** How many pages are missing. */
  readonly #missing: Uint32Array<SharedArrayBuffer>;
  readonly #arrivals: Int32Array<SharedArrayBuffer>;
  readonly #dirty: ReadonlyMap<DirtyConsumer, Uint32Array<SharedArrayBuffer>>;

  constructor(modules: CoreModules, memory: WebAssembly.Memory, memoryMib: number) {
    const buffer = memory.buffer;
    this.wasm = memory;
    this.ramAddress = layoutOf(modules, 'RAM');
    this.touchedAddress = layoutOf(modules, 'TOUCHED');
    this.freeAddress = layoutOf(modules, 'FREE');
    this.rewrittenAddress = layoutOf(modules, 'REWRITTEN');
    const words = (memoryMib * 256) / 32;
    const bitmapBytes = layoutOf(modules, 'BITMAP_BYTES');
    this.pages = memoryMib * 256;
    this.ram = new Uint8Array(buffer, this.ramAddress, memoryMib * 1024 * 1024);
    this.attention = new Int32Array(buffer, layoutOf(modules, 'ATTENTION'), 1);
    this.#touched = new Uint32Array(buffer, this.touchedAddress, words);
    this.#free = new Uint32Array(buffer, this.freeAddress, words);
    this.#present = new Uint32Array(buffer, layoutOf(modules, 'PRESENT'), words);
    this.#missing = new Uint32Array(buffer, layoutOf(modules, 'PAGES_MISSING'), 1);
    this.#arrivals = new Int32Array(buffer, layoutOf(modules, 'PAGE_ARRIVALS'), 1);
    const dirty = layoutOf(modules, 'DIRTY');
    this.#dirty = new Map(
      Object.entries(dirtyConsumers).map(([name, bit]) => [
        name as DirtyConsumer,
        new Uint32Array(buffer, dirty + Math.log2(bit) * bitmapBytes, words),
      ]),
    );
  }

  /** A view of one page of live RAM. */
  page(number: number): Uint8Array<SharedArrayBuffer> {
    return this.ram.subarray(number * pageBytes, (number + 1) * pageBytes);
  }

  /** True if the page was ever written; the others are zero and need not be read. */
  isTouched(page: number): boolean {
    return (((this.#touched[page >>> 5] ?? 0) >>> (page & 31)) & 1) === 1;
  }

  /**
   * True if the guest said that it does not need the page and has not written it since: it is zero and need not be read.
   * Beside a running vCPU that was so a moment ago; one that has written since is in its dirty log.
   */
  isFree(page: number): boolean {
    return (((this.#free[page >>> 5] ?? 0) >>> (page & 31)) & 1) === 1;
  }

  /** A copy of the bitmap of pages that are free, as isFree says. */
  freeBitmap(): Uint32Array {
    return Uint32Array.from(this.#free);
  }

  /** A copy of the bitmap of pages ever written, one bit each. */
  touchedBitmap(): Uint32Array {
    return Uint32Array.from(this.#touched);
  }

  /** Marks a page written, for whoever fills the RAM of a machine that does not run yet. */
  markTouched(page: number): void {
    Atomics.or(this.#touched, page >>> 5, 1 << (page & 31));
  }

  /**
   * Of a machine that does not run yet: these pages, a bit each, arrive later (`arrived`), and whoever touches one of them
   * waits. They count as written from now on, so that nobody has to mark them beside the running vCPU.
   */
  setMissing(bitmap: Uint32Array): void {
    for (let index = 0; index < this.#present.length; index++) {
      const bits = bitmap[index] ?? 0;
      Atomics.store(this.#present, index, ~bits);
      if (bits !== 0) Atomics.or(this.#touched, index, bits);
    }
    Atomics.store(this.#missing, 0, countPages(bitmap.subarray(0, this.#present.length)));
  }

  get missingPages(): number {
    return Atomics.load(this.#missing, 0);
  }

  /** True while nobody may touch the page but who brings it. */
  isMissing(page: number): boolean {
    if (this.missingPages === 0) return false;
    return ((Atomics.load(this.#present, page >>> 5) >>> (page & 31)) & 1) === 0;
  }

  /** A missing page stands in RAM as it shall be; from now on it is the guest's. */
  arrived(page: number): void {
    const bit = 1 << (page & 31);
    if ((Atomics.or(this.#present, page >>> 5, bit) & bit) !== 0) return;
    Atomics.sub(this.#missing, 0, 1);
    Atomics.add(this.#arrivals, 0, 1);
    Atomics.notify(this.#arrivals, 0);
  }

  /** On the vCPU's thread: waits until the page is there, at most so long. True if it is. */
  waitForPage(page: number, waitMsMax: number): boolean {
    const endsAt = performance.now() + waitMsMax;
    for (;;) {
      const arrivals = Atomics.load(this.#arrivals, 0);
      if (!this.isMissing(page)) return true;
      const leftMs = endsAt - performance.now();
      if (leftMs <= 0) return false;
      Atomics.wait(this.#arrivals, 0, arrivals, leftMs);
    }
  }

  /** Takes and clears what harvests left for a consumer, one bit a page. Word by word atomic. */
  takeDirty(consumer: DirtyConsumer): Uint32Array {
    const words = this.#accumulator(consumer);
    const taken = new Uint32Array(words.length);
    for (let index = 0; index < words.length; index++) {
      if (words[index] !== 0) taken[index] = Atomics.exchange(words, index, 0);
    }
    return taken;
  }

  /** Gives pages back to a consumer's accumulator: what was taken and not sent. */
  putBackDirty(consumer: DirtyConsumer, bitmap: Uint32Array): void {
    const words = this.#accumulator(consumer);
    const length = Math.min(words.length, bitmap.length);
    for (let index = 0; index < length; index++) {
      const bits = bitmap[index] ?? 0;
      if (bits !== 0) Atomics.or(words, index, bits);
    }
  }

  /** Makes a running vCPU end its slice and a waiting one wake. */
  poke(): void {
    Atomics.or(this.attention, 0, 1);
    Atomics.notify(this.attention, 0);
  }

  /** True if someone poked since it was taken last. */
  get isPoked(): boolean {
    return Atomics.load(this.attention, 0) !== 0;
  }

  /** On the vCPU's thread: true if someone poked; forgets it. */
  takeAttention(): boolean {
    return Atomics.exchange(this.attention, 0, 0) !== 0;
  }

  /** On the vCPU's thread: waits until poked, at most so long. */
  waitForAttention(waitMsMax: number): void {
    Atomics.wait(this.attention, 0, 0, waitMsMax);
  }

  #accumulator(consumer: DirtyConsumer): Uint32Array<SharedArrayBuffer> {
    const words = this.#dirty.get(consumer);
    if (words === undefined) throw new TypeError(`no dirty consumer ${consumer}`);
    return words;
  }
}

/** The page numbers whose bits are set. */
export function* pagesOf(bitmap: Uint32Array): Generator<number> {
  for (let index = 0; index < bitmap.length; index++) {
    let word = bitmap[index] ?? 0;
    while (word !== 0) {
      const bit = 31 - Math.clz32(word & -word);
      yield index * 32 + bit;
      word &= word - 1;
    }
  }
}

/** How many bits are set. Source: Warren, Hacker's Delight, "Counting 1-Bits". */
export function countPages(bitmap: Uint32Array): number {
  let count = 0;
  for (const word of bitmap) {
    const pairs = word - ((word >>> 1) & 0x5555_5555);
    const nibbles = (pairs & 0x3333_3333) + ((pairs >>> 2) & 0x3333_3333);
    count += Math.imul((nibbles + (nibbles >>> 4)) & 0x0f0f_0f0f, 0x0101_0101) >>> 24;
  }
  return count;
}
