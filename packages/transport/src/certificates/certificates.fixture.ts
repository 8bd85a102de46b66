/** A certificate authority and members of its cluster, in a folder that goes with the test. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import type { Authentication } from '../authentication.ts';
import { CertificateAuthority } from './authority.ts';
import type { CertifiedName, ProgramKind } from './certified-name.ts';
import { writeCredentials } from './credentials.ts';

const folders: string[] = [];
afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

export async function freshFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'skein-certificates-'));
  folders.push(folder);
  return folder;
}

export async function freshAuthority(): Promise<CertificateAuthority> {
  return await CertificateAuthority.open(await freshFolder(), 'test', Date.now());
}

export async function memberOf(
  authority: CertificateAuthority,
  kind: ProgramKind,
  name: string,
  lifeMs = 3_600_000,
): Promise<Authentication & { readonly kind: 'certificate' }> {
  const directory = await freshFolder();
  await certify(authority, { kind, name }, directory, lifeMs);
  return { kind: 'certificate', directory };
}

export async function certify(
  authority: CertificateAuthority,
  subject: CertifiedName,
  directory: string,
  lifeMs = 3_600_000,
): Promise<void> {
  await writeCredentials(directory, await authority.ownCredentials(subject, { nowMs: Date.now(), lifeMs }));
}
