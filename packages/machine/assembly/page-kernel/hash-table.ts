/** The hashes of a guest's pages as they were last sent or applied, 64 bits each, and their sum modulo 2^64. */
let hashes: usize = 0;
let sum: u64 = 0;

/** Where they stand: 8 bytes a page, all zero. */
export function setHashes(at: usize): void {
  hashes = at;
}

export function noteHash(page: u32, hash: u64): void {
  const at = hashes + ((page as usize) << 3);
  sum += hash - load<u64>(at);
  store<u64>(at, hash);
}

export function hashSum(): u64 {
  return sum;
}

/** The pages of a bitmap of so many words count for nothing. Made in downtime: where nothing counts it costs nothing. */
export function forgetHashes(bitmap: usize, words: u32): void {
  if (sum === 0) return;
  for (let word: u32 = 0; word < words; word++) {
    let bits = load<u32>(bitmap + (word << 2));
    while (bits !== 0) {
      noteHash((word << 5) + ctz<u32>(bits), 0);
      bits &= bits - 1;
    }
  }
}
