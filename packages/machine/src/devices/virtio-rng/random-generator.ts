/**
 * A stream of random bytes that follows from its seed. A guest makes keys of them, so they come from a cipher and not
 * from a statistical generator (xoshiro), of which a few outputs tell all others. With each draw the key is replaced by
 * the first bytes of the key stream: whoever gets hold of the state, as in a snapshot, learns nothing of what was drawn
 * before, and the state is a key alone.
 * Source: RFC 8439 for the cipher; D. J. Bernstein, "Fast-key-erasure random-number generators" (2017).
 */
import { CHACHA_BLOCK_BYTES, CHACHA_KEY_BYTES, chachaBlock } from './chacha20.ts';

export const SEED_BYTES = CHACHA_KEY_BYTES;
/** A key is used for one draw, so that its nonce need not change. */
const NONCE = new Uint8Array(12);

export class RandomGenerator {
  #key: Uint8Array;

  /** `seed`: SEED_BYTES, none of them known to anyone who must not know what is drawn. */
  constructor(seed: Uint8Array) {
    if (seed.length !== SEED_BYTES)
      throw new RangeError(`a seed has ${SEED_BYTES} bytes, not ${seed.length}`);
    this.#key = new Uint8Array(seed);
  }

  /** What the next draws follow from. */
  get key(): Uint8Array {
    return this.#key.slice();
  }

  /** The stream goes on behind this draw, so that one of 8 bytes and two of 4 give different ones. */
  draw(lengthBytes: number): Uint8Array {
    const blocks = Math.ceil((CHACHA_KEY_BYTES + lengthBytes) / CHACHA_BLOCK_BYTES);
    const stream = new Uint8Array(blocks * CHACHA_BLOCK_BYTES);
    for (let block = 0; block < blocks; block++) {
      stream.set(chachaBlock(this.#key, block, NONCE), block * CHACHA_BLOCK_BYTES);
    }
    this.#key = stream.slice(0, CHACHA_KEY_BYTES);
    return stream.subarray(CHACHA_KEY_BYTES, CHACHA_KEY_BYTES + lengthBytes);
  }
}
