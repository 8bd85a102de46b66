/**
 * What a program of a cluster proves itself with: its private key, its certificate, and the authority's. They are one
 * file, replaced as a whole, and read again at each dial: a renewed certificate needs no word to any thread.
 */
import { X509Certificate } from 'node:crypto';
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { OperationError } from '@skein/shared';
import { z } from 'zod';
import { type CertifiedName, certifiedNameOf } from './certified-name.ts';

/** All PEM. */
export const Credentials = z.strictObject({
  key: z.string().min(1),
  certificate: z.string().min(1),
  authority: z.string().min(1),
});
export type Credentials = z.infer<typeof Credentials>;

export function credentialsFile(directory: string): string {
  return join(directory, 'credentials.json');
}

/** @throws OperationError config.unreadable, config.invalid */
export function readCredentials(directory: string): Credentials {
  const path = credentialsFile(directory);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new OperationError({ code: 'config.unreadable', message: `cannot read ${path}`, cause });
  }
  try {
    return Credentials.parse(JSON.parse(text));
  } catch (cause) {
    const message = `${path} is damaged: restore it from a backup. If it is a host's or the storage service's, remove it, and that program joins again with a token`;
    throw new OperationError({ code: 'config.invalid', message, cause });
  }
}

/** Null if there are none. @throws OperationError config.unreadable, config.invalid */
export function findCredentials(directory: string): Credentials | null {
  return changeOf(directory) === null ? null : readCredentials(directory);
}

/** As a whole, for its owner alone, and on the disk when it returns. */
export async function writeCredentials(directory: string, credentials: Credentials): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const path = credentialsFile(directory);
  const unfinished = `${path}.${process.pid}.partial`;
  const file = openSync(unfinished, 'w', 0o600);
  try {
    writeFileSync(file, `${JSON.stringify(credentials, null, 2)}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(unfinished, path);
  const folder = openSync(directory, 'r');
  fsyncSync(folder);
  closeSync(folder);
}

/** Differs after each change of the file; null without one. */
export function changeOf(directory: string): string | null {
  const found = statSync(credentialsFile(directory), { bigint: true, throwIfNoEntry: false });
  return found === undefined ? null : `${found.ino} ${found.mtimeNs}`;
}

export interface CertificateFacts {
  readonly subject: CertifiedName | null;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

export function factsOf(certificate: string): CertificateFacts {
  const parsed = new X509Certificate(certificate);
  return {
    subject: certifiedNameOf(parsed.subjectAltName),
    notBeforeMs: parsed.validFromDate.getTime(),
    notAfterMs: parsed.validToDate.getTime(),
  };
}
