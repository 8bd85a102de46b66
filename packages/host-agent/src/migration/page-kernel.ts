/**
 * Pages in memory of our own beside a machine's live RAM: each is copied once from there, and zero test, hash and
 * sending use only that copy (a live page read twice is two pages; design: Moving memory); or once to there.
 */
import {
  type CoreModules,
  createPageCopy,
  type MachineMemory,
  type PageCopy,
  pageBytes,
} from '@skein/machine';

interface PageKernelExports {
  pageIsZero(pointer: number): number;
  pageHash(pointer: number, page: number): bigint;
  encodeDelta(before: number, after: number, out: number, most: number): number;
  applyDelta(delta: number, bytes: number, page: number): number;
}

const wasmPageBytes = 65_536;

export class PageKernel {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #exports: PageKernelExports;
  readonly #copy: PageCopy;
  readonly #ramAddress: number;

  /** `sizeBytes` of memory of our own, from offset `PageKernel.start` on. */
  constructor(modules: CoreModules, live: MachineMemory, sizeBytes: number) {
    const pages = Math.ceil((PageKernel.start + sizeBytes) / wasmPageBytes);
    const memory = new WebAssembly.Memory({ initial: pages, maximum: 65_536 });
    const instance = new WebAssembly.Instance(modules.pageKernel, { env: { memory } });
    this.#exports = instance.exports as unknown as PageKernelExports;
    this.bytes = new Uint8Array(memory.buffer as unknown as ArrayBuffer);
    this.#copy = createPageCopy(memory, live.wasm);
    this.#ramAddress = live.ramAddress;
  }

  /** The module keeps the first wasm page for itself. */
  static readonly start = wasmPageBytes;

  /** `pointer` is an offset in `bytes`, of any alignment. */
  copyFromLive(page: number, pointer: number): void {
    this.#copy.toOwn(pointer, this.#ramAddress + page * pageBytes, pageBytes);
  }

  copyToLive(page: number, pointer: number): void {
    this.#copy.toLive(this.#ramAddress + page * pageBytes, pointer, pageBytes);
  }

  isZero(pointer: number): boolean {
    return this.#exports.pageIsZero(pointer) !== 0;
  }

  /** Position-keyed; a zero page's hash is 0. */
  hash(pointer: number, page: number): bigint {
    return BigInt.asUintN(64, this.#exports.pageHash(pointer, page));
  }

  /** Writes what changed between two pages to `out`; returns its bytes, -1 if they would be more than `most`. */
  encodeDelta(before: number, after: number, out: number, most: number): number {
    return this.#exports.encodeDelta(before, after, out, most);
  }

  /** Changes the page at `page` accordingly; false if the bytes are no delta. */
  applyDelta(delta: number, bytes: number, page: number): boolean {
    return this.#exports.applyDelta(delta, bytes, page) !== 0;
  }
}
