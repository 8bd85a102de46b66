/**
 * The lines of the lease log, and what they add up to. Pure but for reading the file. Every line carries a checksum;
 * only the tail of a write that never ended is forgiven, for it was never acknowledged.
 */
import { open } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { BootId, Epoch, HostName, OperationError, VmId } from '@skein/shared';
import { z } from 'zod';

/** What survives a restart; times do not. */
export const StoredLease = z.strictObject({
  vm: VmId,
  owner: HostName.nullable(),
  boot: BootId.nullable(),
  epoch: Epoch,
});
export type StoredLease = z.infer<typeof StoredLease>;

const StoredCoordinator = z.strictObject({ coordinatorEpoch: Epoch });

export const StoredRecord = z.union([StoredLease, StoredCoordinator]);
export type StoredRecord = z.infer<typeof StoredRecord>;

/** All records together: the last of each VM. */
export interface LeaseBook {
  readonly leases: Map<VmId, StoredLease>;
  coordinatorEpoch: Epoch;
}

/** Changes `book`. */
export function remember(book: LeaseBook, record: StoredRecord): void {
  if ('vm' in record) book.leases.set(record.vm, record);
  else book.coordinatorEpoch = record.coordinatorEpoch;
}

export function recordsOf(book: LeaseBook): StoredRecord[] {
  const { coordinatorEpoch, leases } = book;
  return [...(coordinatorEpoch === 0 ? [] : [{ coordinatorEpoch }]), ...leases.values()];
}

export function formatRecord(record: StoredRecord): string {
  const text = JSON.stringify(record);
  return `${checksum(text)} ${text}\n`;
}

/** A log that is not there is empty. @throws OperationError lease.store-corrupt, lease.store-failed */
export async function readLog(path: string): Promise<LeaseBook> {
  return parseLog(await readText(path), path);
}

/** @throws OperationError lease.store-corrupt */
export function parseLog(text: string, path: string): LeaseBook {
  const book: LeaseBook = { leases: new Map(), coordinatorEpoch: 0 };
  const lines = text.split('\n');
  const tail = lines.pop() ?? '';
  // A torn write is the beginning of a line; a whole line with something else where it ends is not.
  if (parseLine(tail.slice(0, -1)) !== null) throw corrupt(path, lines.length + 1, 'its end was overwritten');
  lines.forEach((line, index) => {
    const record = parseLine(line);
    if (record === null) throw corrupt(path, index + 1, 'its checksum does not fit');
    if (isBackwards(book, record)) throw corrupt(path, index + 1, 'an epoch runs backwards');
    remember(book, record);
  });
  return book;
}

function isBackwards(book: LeaseBook, record: StoredRecord): boolean {
  if ('vm' in record) return record.epoch < (book.leases.get(record.vm)?.epoch ?? 0);
  return record.coordinatorEpoch < book.coordinatorEpoch;
}

function parseLine(line: string): StoredRecord | null {
  const json = line.slice(9);
  if (line[8] !== ' ' || line.slice(0, 8) !== checksum(json)) return null;
  try {
    return StoredRecord.parse(JSON.parse(json));
  } catch {
    return null;
  }
}

function checksum(text: string): string {
  return crc32(text).toString(16).padStart(8, '0');
}

async function readText(path: string): Promise<string> {
  try {
    const file = await open(path, 'r');
    try {
      return await file.readFile('utf8');
    } finally {
      await file.close();
    }
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT') return '';
    const message = `cannot read ${path} (${code})`;
    throw new OperationError({ code: 'lease.store-failed', message, cause });
  }
}

function corrupt(path: string, line: number, reason: string): OperationError {
  return new OperationError({
    code: 'lease.store-corrupt',
    message: `${path} is damaged at line ${line}: ${reason}, so no epoch in it can be trusted. Restore the file from a copy; or stop every host, remove the file, and start again with no VM running.`,
    details: { path, line },
  });
}
