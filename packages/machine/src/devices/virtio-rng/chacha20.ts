/**
 * The ChaCha20 block function: 64 bytes that nobody can tell from random ones who does not have the key.
 * Source: RFC 8439, "The ChaCha20 Block Function".
 */

export const CHACHA_KEY_BYTES = 32;
export const CHACHA_BLOCK_BYTES = 64;
const NONCE_BYTES = 12;
const STATE_WORDS = 16;
const DOUBLE_ROUNDS = 10;
/** "expand 32-byte k" */
const CONSTANTS = [0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574] as const;

/** Indices of the state's four columns, then of its four diagonals. */
const QUARTERS = [
  [0, 4, 8, 12],
  [1, 5, 9, 13],
  [2, 6, 10, 14],
  [3, 7, 11, 15],
  [0, 5, 10, 15],
  [1, 6, 11, 12],
  [2, 7, 8, 13],
  [3, 4, 9, 14],
] as const;

/** `key` has 32 bytes, `nonce` 12; `counter` has 32 bits. */
export function chachaBlock(key: Uint8Array, counter: number, nonce: Uint8Array): Uint8Array {
  const initial = new Uint32Array(STATE_WORDS);
  initial.set(CONSTANTS);
  initial.set(words(key, CHACHA_KEY_BYTES), 4);
  initial[12] = counter;
  initial.set(words(nonce, NONCE_BYTES), 13);
  const state = initial.slice();
  for (let round = 0; round < DOUBLE_ROUNDS; round++) {
    for (const [a, b, c, d] of QUARTERS) quarterRound(state, a, b, c, d);
  }
  const block = new Uint8Array(CHACHA_BLOCK_BYTES);
  const view = new DataView(block.buffer);
  for (const [index, word] of state.entries()) view.setUint32(index * 4, word + (initial[index] ?? 0), true);
  return block;
}

function quarterRound(state: Uint32Array, a: number, b: number, c: number, d: number): void {
  addAndTurn(state, a, b, d, 16);
  addAndTurn(state, c, d, b, 12);
  addAndTurn(state, a, b, d, 8);
  addAndTurn(state, c, d, b, 7);
}

/** sum += addend; turned ^= sum; turned <<<= bits. */
function addAndTurn(state: Uint32Array, sum: number, addend: number, turned: number, bits: number): void {
  const total = ((state[sum] ?? 0) + (state[addend] ?? 0)) | 0;
  const mixed = (state[turned] ?? 0) ^ total;
  state[sum] = total;
  state[turned] = (mixed << bits) | (mixed >>> (32 - bits));
}

function words(bytes: Uint8Array, lengthBytes: number): Uint32Array {
  if (bytes.length !== lengthBytes) throw new RangeError(`${bytes.length} bytes instead of ${lengthBytes}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, lengthBytes);
  return Uint32Array.from({ length: lengthBytes / 4 }, (_, index) => view.getUint32(index * 4, true));
}
