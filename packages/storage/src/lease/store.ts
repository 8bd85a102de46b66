/**
 * Leases on disk: an append-only log, one line a change, `<crc32 in hexadecimal> <JSON>\n`. A change is acknowledged
 * after fdatasync; changes that wait together share one. Compacted by writing a new file and renaming it.
 */
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { Epoch, HostName, OperationError, VmId } from '@skein/shared';
import { z } from 'zod';

/** What survives a restart; times do not. */
export const StoredLease = z.strictObject({ vm: VmId, owner: HostName.nullable(), epoch: Epoch });
export type StoredLease = z.infer<typeof StoredLease>;

const fileName = 'leases.log';
/** So many lines more than leases before the log is written anew. */
const compactAfterLines = 10_000;

interface Waiting {
  readonly lease: StoredLease;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export class LeaseStore {
  readonly #path: string;
  readonly #directory: string;
  readonly #leases: Map<string, StoredLease>;
  #file: FileHandle;
  #waiting: Waiting[] = [];
  #isWriting = false;
  #failure: OperationError | null = null;
  #lines: number;

  private constructor(directory: string, file: FileHandle, leases: Map<string, StoredLease>) {
    this.#directory = directory;
    this.#path = join(directory, fileName);
    this.#file = file;
    this.#leases = leases;
    this.#lines = leases.size;
  }

  /** @throws OperationError lease.store-corrupt */
  static async open(directory: string): Promise<LeaseStore> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const path = join(directory, fileName);
    const leases = await readLog(path);
    // Starting with a compacted log also cuts a torn tail for good.
    const file = await writeWhole(directory, path, leases);
    return new LeaseStore(directory, file, leases);
  }

  get all(): Iterable<StoredLease> {
    return this.#leases.values();
  }

  /** Resolves when it is on disk; rejects if the disk refuses, and then nothing was promised. */
  async put(lease: StoredLease): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#waiting.push({ lease, resolve, reject });
      void this.#write();
    });
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  async #write(): Promise<void> {
    if (this.#isWriting) return;
    this.#isWriting = true;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      try {
        if (this.#failure !== null) throw this.#failure;
        await this.#file.appendFile(batch.map(({ lease }) => formatLine(lease)).join(''));
        await this.#file.datasync();
      } catch (cause) {
        // Part of the batch may be in the file: what came behind it would make a damaged log.
        this.#failure ??= new OperationError({
          code: 'internal',
          message: `cannot write ${this.#path}`,
          cause,
        });
        for (const { reject } of batch) reject(this.#failure);
        continue;
      }
      this.#lines += batch.length;
      for (const { lease, resolve } of batch) {
        this.#leases.set(lease.vm, lease);
        resolve();
      }
    }
    this.#isWriting = false;
    if (this.#failure === null && this.#lines > this.#leases.size + compactAfterLines) await this.#compact();
  }

  async #compact(): Promise<void> {
    this.#isWriting = true;
    const old = this.#file;
    this.#file = await writeWhole(this.#directory, this.#path, this.#leases);
    this.#lines = this.#leases.size;
    await old.close();
    this.#isWriting = false;
    if (this.#waiting.length > 0) void this.#write();
  }
}

function formatLine(lease: StoredLease): string {
  const text = JSON.stringify(lease);
  return `${crc32(text).toString(16).padStart(8, '0')} ${text}\n`;
}

async function readLog(path: string): Promise<Map<string, StoredLease>> {
  const leases = new Map<string, StoredLease>();
  const file = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (file === null) return leases;
  const text = await file.readFile('utf8');
  await file.close();
  const lines = text.split('\n');
  lines.pop(); // Empty, or a torn tail: it was never acknowledged.
  lines.forEach((line, index) => {
    const lease = parseLine(line);
    if (lease === null) throw corrupt(path, index + 1);
    leases.set(lease.vm, lease);
  });
  return leases;
}

function parseLine(line: string): StoredLease | null {
  const json = line.slice(9);
  if (line.length < 10 || line[8] !== ' ' || crc32(json) !== Number.parseInt(line.slice(0, 8), 16))
    return null;
  try {
    return StoredLease.parse(JSON.parse(json));
  } catch {
    return null;
  }
}

async function writeWhole(
  directory: string,
  path: string,
  leases: ReadonlyMap<string, StoredLease>,
): Promise<FileHandle> {
  const unfinished = `${path}.new`;
  const file = await open(
    unfinished,
    constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_APPEND,
    0o600,
  );
  await file.appendFile([...leases.values()].map(formatLine).join(''));
  await file.datasync();
  await rename(unfinished, path);
  const folder = await open(directory, 'r');
  await folder.sync();
  await folder.close();
  return file;
}

function corrupt(path: string, line: number): OperationError {
  return new OperationError({
    code: 'lease.store-corrupt',
    message: `${path} is damaged at line ${line}: the epochs in it cannot be trusted. Restore the file from a copy; or stop every host, remove it, and start again with no VM running.`,
    details: { path, line },
  });
}
