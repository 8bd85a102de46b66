import type { KernelLayout, PageKernel } from './page-kernel.ts';

const hashBytes = 8;

/** Where a kernel keeps hashes of pages, and takes a bitmap of them. */
export interface HashPlaces {
  readonly hashes: number;
  readonly bitmap: number;
}

export function placeHashes(layout: KernelLayout, pages: number): HashPlaces {
  return { hashes: layout.take(pages * hashBytes), bitmap: layout.take(pages / 8) };
}

/** The hashes of a VM's pages as they were last sent or applied, and their sum: the RAM part of the state hash. */
export class PageHashes {
  readonly #kernel: PageKernel;
  readonly #bitmap: number;

  constructor(kernel: PageKernel, { hashes, bitmap }: HashPlaces) {
    this.#kernel = kernel;
    this.#bitmap = bitmap;
    kernel.calls.setHashes(hashes);
  }

  /** The pages count for nothing. */
  forget(bitmap: Uint32Array): void {
    this.#kernel.writeWords(this.#bitmap, bitmap);
    this.#kernel.calls.forgetHashes(this.#bitmap, bitmap.length);
  }

  /** Modulo 2^64. */
  get sum(): bigint {
    return BigInt.asUintN(64, this.#kernel.calls.hashSum());
  }
}

/** As it stands in records: 16 hexadecimal digits. */
export function formatStateHash(hash: bigint): string {
  return BigInt.asUintN(64, hash).toString(16).padStart(16, '0');
}
