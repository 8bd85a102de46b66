/**
 * Digests of a machine's state: 64 bits over bytes (for saved state), and sums of position-keyed page hashes (for
 * RAM). They find errors and divergence, not forgers: streams between hosts are authenticated elsewhere.
 */

const prime1 = 0x9e37_79b1;
const prime2 = 0x85eb_ca77;
const prime3 = 0xc2b2_ae3d;
const prime4 = 0x27d4_eb2f;

/** 64-bit digest of a few kilobytes: two 32-bit lanes, each over every byte. */
export function hashBytes(bytes: Uint8Array): bigint {
  let a = prime1 ^ bytes.length;
  let b = prime4 ^ bytes.length;
  for (const byte of bytes) {
    a = Math.imul(a ^ byte, prime2);
    a = (a << 13) | (a >>> 19);
    b = Math.imul(b + byte + 1, prime3);
    b = (b << 17) | (b >>> 15);
  }
  return (BigInt(finish(a ^ b)) << 32n) | BigInt(finish(b + Math.imul(a, prime1)));
}

function finish(value: number): number {
  let mixed = value;
  mixed = Math.imul(mixed ^ (mixed >>> 15), prime2);
  mixed = Math.imul(mixed ^ (mixed >>> 13), prime3);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

/** Page hashes and the rest are added modulo 2^64, so that parts can be exchanged. */
export function addHashes(...parts: readonly bigint[]): bigint {
  return BigInt.asUintN(
    64,
    parts.reduce((sum, part) => sum + part, 0n),
  );
}
