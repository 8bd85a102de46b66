/**
 * The page kernel in memory of our own: each page is copied once into it, and zero test, hash and sending use only
 * that copy (a live page read twice is two pages; design: Moving memory).
 */
import type { CoreModules } from '@skein/machine';

interface PageKernelExports {
  pageIsZero(pointer: number): number;
  pageHash(pointer: number, page: number): bigint;
}

const wasmPageBytes = 65_536;

export class PageKernel {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #exports: PageKernelExports;

  /** `sizeBytes` of memory to copy pages into, from offset `PageKernel.start` on. */
  constructor(modules: CoreModules, sizeBytes: number) {
    const pages = Math.ceil((PageKernel.start + sizeBytes) / wasmPageBytes);
    const memory = new WebAssembly.Memory({ initial: pages, maximum: 65_536 });
    const instance = new WebAssembly.Instance(modules.pageKernel, { env: { memory } });
    this.#exports = instance.exports as unknown as PageKernelExports;
    this.bytes = new Uint8Array(memory.buffer as unknown as ArrayBuffer);
  }

  /** The module keeps the first wasm page for itself. */
  static readonly start = wasmPageBytes;

  isZero(pointer: number): boolean {
    return this.#exports.pageIsZero(pointer) !== 0;
  }

  /** Position-keyed; a zero page's hash is 0. */
  hash(pointer: number, page: number): bigint {
    return BigInt.asUintN(64, this.#exports.pageHash(pointer, page));
  }
}
