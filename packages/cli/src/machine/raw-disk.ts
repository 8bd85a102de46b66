/**
 * A disk whose content is a file of the same size, sector for sector ("raw"). Zeros are written only where there is
 * something else, so a sparse file stays sparse when a guest discards all of it. Node has no way to punch holes:
 * what a guest discards reads as zeros, but the host gets nothing back.
 * Omitted: a lock. Two machines that write one file at a time destroy what is in it, as with `dd`.
 */
import { closeSync, constants, fdatasyncSync, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { type BlockBackend, SECTOR_BYTES } from '@skein/machine';
import { fail, usageError } from '../failure.ts';

/** Compared with zeros at a time. */
const pieceBytes = 64 * 1024;
const zeros = Buffer.alloc(pieceBytes);

export interface RawDiskOptions {
  readonly path: string;
  readonly isReadOnly: boolean;
  /** Told once: the host could not do what the guest asked for, which the guest sees as an error of its disk. */
  readonly onError: (message: string) => void;
}

export class RawDisk implements BlockBackend {
  readonly capacityBytes: number;
  readonly isReadOnly: boolean;
  readonly #options: RawDiskOptions;
  readonly #file: number;
  #hasFailed = false;

  /** @throws OperationError config.unreadable, request.invalid */
  constructor(options: RawDiskOptions) {
    const { path, isReadOnly } = options;
    this.#options = options;
    this.isReadOnly = isReadOnly;
    this.#file = openFile(path, isReadOnly);
    const { size } = fstatSync(this.#file);
    if (size === 0 || size % SECTOR_BYTES !== 0) {
      closeSync(this.#file);
      throw usageError(
        `${path} has ${size} bytes: a disk has whole sectors of ${SECTOR_BYTES}, at least one`,
      );
    }
    this.capacityBytes = size;
  }

  read(offset: number, target: Uint8Array): void {
    this.#move(target, offset, readSync);
  }

  write(offset: number, bytes: Uint8Array): void {
    this.#move(bytes, offset, writeSync);
  }

  zero(offset: number, lengthBytes: number): void {
    const piece = Buffer.alloc(Math.min(pieceBytes, lengthBytes));
    for (let done = 0; done < lengthBytes; done += piece.length) {
      const part = piece.subarray(0, lengthBytes - done);
      this.read(offset + done, part);
      const isZero = part.equals(zeros.subarray(0, part.length));
      if (!isZero) this.write(offset + done, zeros.subarray(0, part.length));
    }
  }

  flush(): void {
    this.#try(() => fdatasyncSync(this.#file));
  }

  close(): void {
    closeSync(this.#file);
  }

  /** A call may move less than it was asked to. */
  #move(
    bytes: Uint8Array,
    offset: number,
    call: (file: number, part: Uint8Array, from: number, length: number, position: number) => number,
  ): void {
    this.#try(() => {
      for (let done = 0; done < bytes.length; ) {
        const moved = call(this.#file, bytes, done, bytes.length - done, offset + done);
        if (moved === 0) throw new Error('the file has become shorter');
        done += moved;
      }
    });
  }

  #try(work: () => void): void {
    try {
      work();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (!this.#hasFailed)
        this.#options.onError(`${this.#options.path}: ${reason}; the guest sees a disk error`);
      this.#hasFailed = true;
      throw error;
    }
  }
}

function openFile(path: string, isReadOnly: boolean): number {
  try {
    // A named pipe would wait for its other end.
    const file = openSync(path, (isReadOnly ? constants.O_RDONLY : constants.O_RDWR) | constants.O_NONBLOCK);
    if (fstatSync(file).isFile()) return file;
    closeSync(file);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const hint =
      !isReadOnly && /EACCES|EPERM|EROFS/.test(reason) ? '; with ,ro behind its name it is only read' : '';
    return fail(
      'config.unreadable',
      `cannot ${isReadOnly ? 'read' : 'read and write'} ${path}: ${reason}${hint}`,
      cause,
    );
  }
  throw usageError(`${path} is no regular file: a disk is one, sector for sector`);
}
