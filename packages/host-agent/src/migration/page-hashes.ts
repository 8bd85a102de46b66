import { pagesOf } from '@skein/machine';

/** The hashes of a VM's pages as they were last sent or applied, and their sum: the RAM part of the state hash. */
export class PageHashes {
  readonly #hashes: BigUint64Array;
  /** The same as halves: numbers are much faster to look at. */
  readonly #halves: Uint32Array;
  #sum = 0n;

  constructor(pages: number) {
    this.#hashes = new BigUint64Array(pages);
    this.#halves = new Uint32Array(this.#hashes.buffer);
  }

  set(page: number, hash: bigint): void {
    this.#sum += hash - (this.#hashes[page] ?? 0n);
    this.#hashes[page] = hash;
  }

  /** The pages count for nothing. Made in downtime: pages that count for nothing already cost little. */
  forget(bitmap: Uint32Array): void {
    if (this.#sum === 0n) return;
    for (const page of pagesOf(bitmap))
      if (this.#halves[page * 2] !== 0 || this.#halves[page * 2 + 1] !== 0) this.set(page, 0n);
  }

  /** Modulo 2^64. */
  get sum(): bigint {
    return BigInt.asUintN(64, this.#sum);
  }
}

/** As it stands in records: 16 hexadecimal digits. */
export function formatStateHash(hash: bigint): string {
  return BigInt.asUintN(64, hash).toString(16).padStart(16, '0');
}
