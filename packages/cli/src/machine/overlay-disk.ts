/**
 * A disk that begins with what another one holds and keeps what is written to itself, in memory: for replays, which
 * must leave the original alone and may have to go back.
 */
import { type BlockBackend, type Restorable, SECTOR_BYTES } from '@skein/machine';

export class OverlayDisk implements BlockBackend, Restorable {
  readonly capacityBytes: number;
  readonly isReadOnly: boolean;
  readonly #base: BlockBackend;
  /** By number. A sector is never changed in place: what was saved shares it. */
  #sectors: ReadonlyMap<number, Uint8Array> = new Map();
  #own = new Map<number, Uint8Array>();

  constructor(base: BlockBackend, isReadOnly: boolean) {
    this.#base = base;
    this.isReadOnly = isReadOnly;
    this.capacityBytes = base.capacityBytes;
  }

  read(offset: number, target: Uint8Array): void {
    this.#base.read(offset, target);
    for (const { sector, from, count, at } of piecesOf(offset, target.length)) {
      const written = this.#own.get(sector) ?? this.#sectors.get(sector);
      if (written !== undefined) target.set(written.subarray(from, from + count), at);
    }
  }

  write(offset: number, bytes: Uint8Array): void {
    for (const { sector, from, count, at } of piecesOf(offset, bytes.length)) {
      const content = new Uint8Array(SECTOR_BYTES);
      if (count < SECTOR_BYTES) this.read(sector * SECTOR_BYTES, content);
      content.set(bytes.subarray(at, at + count), from);
      this.#own.set(sector, content);
    }
  }

  zero(offset: number, lengthBytes: number): void {
    for (const { sector, from, count } of piecesOf(offset, lengthBytes)) {
      this.write(sector * SECTOR_BYTES + from, new Uint8Array(count));
    }
  }

  flush(): void {
    // Nothing of it is to outlive this process.
  }

  save(): () => void {
    this.#sectors = new Map([...this.#sectors, ...this.#own]);
    this.#own = new Map();
    const saved = this.#sectors;
    return () => {
      this.#sectors = saved;
      this.#own = new Map();
    };
  }
}

interface Piece {
  readonly sector: number;
  /** Bytes from the sector's start, how many, and where they stand in the whole. */
  readonly from: number;
  readonly count: number;
  readonly at: number;
}

function* piecesOf(offset: number, lengthBytes: number): Generator<Piece> {
  for (let at = 0; at < lengthBytes; ) {
    const from = (offset + at) % SECTOR_BYTES;
    const count = Math.min(SECTOR_BYTES - from, lengthBytes - at);
    yield { sector: Math.floor((offset + at) / SECTOR_BYTES), from, count, at };
    at += count;
  }
}
