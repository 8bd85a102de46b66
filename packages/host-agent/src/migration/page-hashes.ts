/** The hashes of a VM's pages as they were last sent or applied, and their sum: the RAM part of the state hash. */
export class PageHashes {
  readonly #hashes: BigUint64Array;
  #sum = 0n;

  constructor(pages: number) {
    this.#hashes = new BigUint64Array(pages);
  }

  set(page: number, hash: bigint): void {
    this.#sum += hash - (this.#hashes[page] ?? 0n);
    this.#hashes[page] = hash;
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
