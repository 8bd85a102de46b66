/**
 * Leases on disk: an append-only log, one line a change, `<crc32 in hexadecimal> <JSON>\n`. A change is acknowledged
 * after fdatasync; changes that wait together share one. Compacted by writing a new file and renaming it.
 */
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { invariant, OperationError } from '@skein/shared';
import { DirectoryLock } from './directory-lock.ts';
import {
  formatRecord,
  type LeaseBook,
  readLog,
  recordsOf,
  remember,
  type StoredRecord,
} from './log-format.ts';

const fileName = 'leases.log';
/** So many lines more than needed before the log is written anew; 10,000 are 1.5 MB. */
const compactAfterLinesDefault = 10_000;

export interface LeaseStoreOptions {
  readonly directory: string;
  /**
   * What is on disk is unknown, so nothing more may be answered: the process must end, and read the log again. Called
   * at most once, before any `put` fails because of it.
   */
  readonly onFatal: (error: OperationError) => void;
  readonly compactAfterLines?: number;
  /** A change reached the disk; how long the system's fdatasync took. */
  readonly onSynced?: (durationMs: number) => void;
}

interface Waiting {
  readonly record: StoredRecord;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export class LeaseStore {
  readonly #options: LeaseStoreOptions;
  readonly #path: string;
  readonly #lock: DirectoryLock;
  readonly #book: LeaseBook;
  #log: Log;
  #waiting: Waiting[] = [];
  #isWriting = false;
  #written: Promise<void> = Promise.resolve();
  #fatal: OperationError | null = null;

  private constructor(options: LeaseStoreOptions, lock: DirectoryLock, book: LeaseBook, log: Log) {
    this.#options = options;
    this.#path = join(options.directory, fileName);
    this.#lock = lock;
    this.#book = book;
    this.#log = log;
  }

  /** @throws OperationError lease.store-corrupt, lease.store-in-use, lease.store-failed */
  static async open(options: LeaseStoreOptions): Promise<LeaseStore> {
    const { directory } = options;
    const path = join(directory, fileName);
    await mkdir(directory, { recursive: true, mode: 0o700 }).catch((cause: unknown) => {
      throw failed(`cannot make the directory ${directory}`, cause);
    });
    const lock = await DirectoryLock.take(directory);
    try {
      const book = await readLog(path);
      // Starting with a compacted log also cuts a torn tail for good.
      const log = await writeWhole(path, book).catch((cause: unknown) => {
        throw failed(`cannot write ${path}`, cause);
      });
      await syncDirectory(directory);
      return new LeaseStore(options, lock, book, log);
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  /** What is on disk. */
  get book(): LeaseBook {
    return this.#book;
  }

  /**
   * Resolves when it is on disk.
   * @throws OperationError lease.store-failed: the disk refused, and it is certain that nothing was kept
   */
  put(record: StoredRecord): Promise<void> {
    if (this.#fatal !== null) return Promise.reject(this.#fatal);
    return new Promise<void>((resolve, reject) => {
      this.#waiting.push({ record, resolve, reject });
      if (!this.#isWriting) this.#written = this.#writeAll();
    });
  }

  async close(): Promise<void> {
    await this.#written;
    await this.#log.file.close();
    await this.#lock.release();
  }

  /** Never rejects: each failure is told to those who wait for it. */
  async #writeAll(): Promise<void> {
    this.#isWriting = true;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      try {
        await this.#append(batch.map(({ record }) => record));
      } catch (error) {
        for (const { reject } of batch) reject(error as Error);
        continue;
      }
      for (const { record, resolve } of batch) {
        remember(this.#book, record);
        resolve();
      }
      await this.#compactIfLong();
    }
    this.#isWriting = false;
  }

  async #append(records: readonly StoredRecord[]): Promise<void> {
    if (this.#fatal !== null) throw this.#fatal;
    const bytes = Buffer.from(records.map(formatRecord).join(''));
    try {
      await this.#log.file.appendFile(bytes);
    } catch (cause) {
      await this.#undo();
      throw failed(`${this.#path} cannot grow: nothing was changed. Make room on its disk`, cause);
    }
    // After a failed sync nobody knows what the disk holds, and a second one may succeed without having written.
    const startedAt = performance.now();
    await this.#log.file.datasync().catch((cause: unknown) => {
      throw this.#endWith(cause);
    });
    this.#options.onSynced?.(performance.now() - startedAt);
    this.#log.bytes += bytes.length;
    this.#log.lines += records.length;
  }

  /** Part of a batch may stand in the file, and would be believed after a restart. */
  async #undo(): Promise<void> {
    try {
      await this.#log.file.truncate(this.#log.bytes);
      await this.#log.file.datasync();
    } catch (cause) {
      throw this.#endWith(cause);
    }
  }

  #endWith(cause: unknown): OperationError {
    this.#fatal = failed(`${this.#path}: the disk does not say what it holds; start again`, cause);
    this.#options.onFatal(this.#fatal);
    return this.#fatal;
  }

  async #compactIfLong(): Promise<void> {
    const { compactAfterLines = compactAfterLinesDefault, directory } = this.#options;
    if (this.#log.lines <= this.#book.leases.size + compactAfterLines) return;
    const old = this.#log;
    try {
      this.#log = await writeWhole(this.#path, this.#book);
    } catch {
      old.lines = this.#book.leases.size; // The old log is whole; room may be there after as many lines more.
      await rm(`${this.#path}.new`, { force: true }).catch(() => {});
      return;
    }
    await old.file.close().catch(() => {});
    // Until the rename is on disk a crash may undo it, and with it all that is appended from now on.
    await syncDirectory(directory).catch((cause: unknown) => void this.#endWith(cause));
  }
}

interface Log {
  readonly file: FileHandle;
  /** Bytes and lines that are known to be on disk. */
  bytes: number;
  lines: number;
}

/** Until the rename the old log stays as it was. */
async function writeWhole(path: string, book: LeaseBook): Promise<Log> {
  const unfinished = `${path}.new`;
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_APPEND;
  const file = await open(unfinished, flags, 0o600);
  try {
    const lines = recordsOf(book).map(formatRecord);
    const bytes = Buffer.from(lines.join(''));
    await file.appendFile(bytes);
    await file.datasync();
    await rename(unfinished, path);
    return { file, bytes: bytes.length, lines: lines.length };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** Makes a rename durable. */
async function syncDirectory(directory: string): Promise<void> {
  const folder = await open(directory, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function failed(message: string, cause: unknown): OperationError {
  invariant(cause !== undefined, 'a failure of the disk has a cause');
  const { code = 'unknown' } = cause as NodeJS.ErrnoException;
  return new OperationError({
    code: 'lease.store-failed',
    message: `${message} (${code})`,
    cause,
    details: { code },
  });
}
