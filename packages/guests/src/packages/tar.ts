/**
 * Reads a tar archive as a stream and keeps only the files that are asked for, so that a kernel's package of
 * 600 MB never is in memory at once. Understands ustar, GNU long names and pax paths and sizes: what Debian's
 * packages hold. Source: GNU tar manual, "Basic Tar Format"; POSIX pax, "pax Interchange Format".
 * Omitted: sparse files and GNU's multi-volume entries; Debian's packages have none.
 */
import { GuestImageError } from '../guest-image-error.ts';

export interface TarFile {
  /** Without a leading `./` or `/`. */
  readonly path: string;
  readonly data: Uint8Array;
}

const blockBytes = 512;
/** Longest name, link or pax record that is believed; Linux' PATH_MAX is 4096. */
const metadataBytesMax = 64 * 1024;

/**
 * Yields each regular file whose path `select` accepts, in the archive's order.
 * @param fileBytesMax a selected file that claims more is refused before anything is allocated
 * @throws GuestImageError image.corrupt for a wrong check sum, an absurd size or a truncated archive
 */
export async function* readTar(
  source: AsyncIterable<Uint8Array>,
  select: (path: string) => boolean,
  fileBytesMax: number,
): AsyncGenerator<TarFile> {
  const reader = new BlockReader(source);
  let longPath: string | undefined;
  let pax: PaxRecords = {};
  for (;;) {
    const block = await reader.read(blockBytes, 'a header');
    if (block.every((byte) => byte === 0)) return;
    const head = decodeHeader(block);
    const size = pax.size ?? head.size;
    const padded = Math.ceil(size / blockBytes) * blockBytes;
    if (head.type === 'L' || head.type === 'K' || head.type === 'x') {
      if (head.size > metadataBytesMax) throw corrupt(`a name of ${head.size} bytes`);
      const text = (await reader.read(padded, 'a long name')).subarray(0, head.size).toString('utf8');
      if (head.type === 'L') longPath = text.replace(/\0+$/, '');
      if (head.type === 'x') pax = decodePax(text);
      continue;
    }
    const path = normalize(pax.path ?? longPath ?? head.path);
    longPath = undefined;
    pax = {};
    const isFile = head.type === '0' || head.type === '\0';
    if (!isFile || !select(path)) {
      // Links and devices may state a size but carry no data.
      await reader.skip(isFile || head.type === 'g' ? padded : 0);
      continue;
    }
    if (size > fileBytesMax) throw corrupt(`${path} with ${size} bytes, more than ${fileBytesMax}`);
    yield { path, data: (await reader.read(padded, path)).subarray(0, size) };
  }
}

interface TarHeader {
  readonly path: string;
  readonly size: number;
  readonly type: string;
}

function decodeHeader(block: Buffer): TarHeader {
  const stated = parseOctal(block.subarray(148, 156), 'check sum');
  let sum = 0;
  for (let index = 0; index < blockBytes; index++) {
    sum += index >= 148 && index < 156 ? 0x20 : (block[index] ?? 0);
  }
  if (sum !== stated) throw corrupt('a header whose check sum is wrong');
  const name = text(block.subarray(0, 100));
  // Only POSIX ustar ("ustar\0") has a prefix there; GNU ("ustar ") keeps times in those bytes.
  const prefix =
    block.subarray(257, 263).toString('latin1') === 'ustar\0' ? text(block.subarray(345, 500)) : '';
  return {
    path: prefix === '' ? name : `${prefix}/${name}`,
    size: parseSize(block.subarray(124, 136)),
    type: String.fromCharCode(block[156] ?? 0),
  };
}

/** Octal text, or GNU's base-256 for 8 GiB and more. */
function parseSize(field: Buffer): number {
  if (((field[0] ?? 0) & 0x80) === 0) return parseOctal(field, 'size');
  const value = field.readBigUInt64BE(field.length - 8);
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw corrupt('an absurd size');
  return Number(value);
}

function parseOctal(field: Buffer, what: string): number {
  const digits = text(field).trim();
  if (!/^[0-7]{1,12}$/.test(digits)) throw corrupt(`a header whose ${what} is no number`);
  return Number.parseInt(digits, 8);
}

interface PaxRecords {
  path?: string;
  size?: number;
}

function decodePax(records: string): PaxRecords {
  const result: PaxRecords = {};
  for (const match of records.matchAll(/^\d+ (path|size)=(.*)$/gm)) {
    const value = match[2] ?? '';
    if (match[1] === 'path') result.path = value;
    else {
      if (!/^\d{1,15}$/.test(value)) throw corrupt('a pax size that is no number');
      result.size = Number(value);
    }
  }
  return result;
}

function normalize(path: string): string {
  return path.replace(/^(?:\.?\/)+/, '');
}

function text(field: Buffer): string {
  const end = field.indexOf(0);
  return field.subarray(0, end < 0 ? field.length : end).toString('utf8');
}

function corrupt(what: string): GuestImageError {
  return new GuestImageError('image.corrupt', `the archive is damaged: it has ${what}`);
}

/** Cuts a stream of chunks of any length into the lengths that the format asks for. */
class BlockReader {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#chunks = source[Symbol.asyncIterator]();
  }

  async read(bytes: number, what: string): Promise<Buffer> {
    const parts: Buffer[] = [];
    let missing = bytes;
    while (missing > 0) {
      if (this.#rest.length === 0) await this.#next(what);
      const part = this.#rest.subarray(0, missing);
      this.#rest = this.#rest.subarray(part.length);
      parts.push(part);
      missing -= part.length;
    }
    return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts);
  }

  async skip(bytes: number): Promise<void> {
    let missing = bytes;
    while (missing > 0) {
      if (this.#rest.length === 0) await this.#next('a file');
      const skipped = Math.min(missing, this.#rest.length);
      this.#rest = this.#rest.subarray(skipped);
      missing -= skipped;
    }
  }

  async #next(what: string): Promise<void> {
    const next = await this.#chunks.next();
    if (next.done === true) throw corrupt(`its end in the middle of ${what}`);
    this.#rest = Buffer.from(next.value.buffer, next.value.byteOffset, next.value.byteLength);
  }
}
