/** What a disk holds, in a word: two disks with equal digests read alike. */
import { createHash } from 'node:crypto';
import type { BlockBackend } from './block-backend.ts';

const PIECE_BYTES = 1024 * 1024;

/** SHA-256 of the whole content, hexadecimal. Reads all of it: seconds for each GiB. Throws what the host says. */
export function contentDigest(backend: BlockBackend): string {
  const hash = createHash('sha256');
  const piece = new Uint8Array(PIECE_BYTES);
  for (let offset = 0; offset < backend.capacityBytes; offset += PIECE_BYTES) {
    const part = piece.subarray(0, Math.min(PIECE_BYTES, backend.capacityBytes - offset));
    backend.read(offset, part);
    hash.update(part);
  }
  return hash.digest('hex');
}
