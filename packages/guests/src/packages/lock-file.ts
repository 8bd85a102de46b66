/**
 * `packages.lock.json`: the packages of which the guest image was last made on purpose. A suite moves on, so a
 * package that changed is reported and used, not refused; but the same content is taken wherever it still is.
 */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { absentAsUndefined, writeFileAtomically } from '../cache-folder.ts';
import { isSha256 } from '../digest.ts';
import { GuestImageError } from '../guest-image-error.ts';
import type { PackageIdentity } from './package.ts';

export interface PackageLock {
  /** Debian's code name, such as `forky`. */
  readonly suite: string;
  /** In the order of their names. */
  readonly packages: readonly PackageIdentity[];
}

/** The lock file of this checkout. */
export const defaultLockFile = fileURLToPath(new URL('../../packages.lock.json', import.meta.url));

const packagesMax = 500;

/**
 * The lock, or undefined when the file does not exist.
 * @throws GuestImageError image.invalid when it is no lock file
 */
export async function readLockFile(path: string): Promise<PackageLock | undefined> {
  const text = await absentAsUndefined(readFile(path, 'utf8'));
  if (text === undefined) return undefined;
  return parseLock(text, path);
}

export function parseLock(text: string, where: string): PackageLock {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new GuestImageError(
      'image.invalid',
      `${where} is not JSON; restore it or build with --update-lock`,
      {
        cause,
      },
    );
  }
  if (!isLock(value)) {
    throw new GuestImageError(
      'image.invalid',
      `${where} is not a package lock file { suite, packages: [{ name, version, sha256 }] }; ` +
        'restore it or build with --update-lock',
    );
  }
  return value;
}

export async function writeLockFile(path: string, lock: PackageLock): Promise<void> {
  const packages = [...lock.packages]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, version, sha256 }) => ({ name, version, sha256 }));
  await writeFileAtomically(path, `${JSON.stringify({ suite: lock.suite, packages }, null, 2)}\n`);
}

/** A sentence for each difference that a person should know of. */
export function describeChanges(lock: PackageLock, used: readonly PackageIdentity[]): readonly string[] {
  const changes: string[] = [];
  for (const present of used) {
    const locked = lock.packages.find((candidate) => candidate.name === present.name);
    if (locked === undefined) {
      changes.push(`${present.name} ${present.version} is not in the lock file`);
    } else if (locked.version !== present.version) {
      changes.push(`${present.name} is ${present.version}, the lock file has ${locked.version}`);
    } else if (locked.sha256 !== present.sha256) {
      changes.push(`${present.name} ${present.version} has another content than in the lock file`);
    }
  }
  for (const locked of lock.packages) {
    if (!used.some((present) => present.name === locked.name)) {
      changes.push(`${locked.name} ${locked.version} of the lock file is not used`);
    }
  }
  return changes;
}

function isLock(value: unknown): value is PackageLock {
  if (typeof value !== 'object' || value === null || !('suite' in value) || !('packages' in value))
    return false;
  if (typeof value.suite !== 'string' || !/^[a-z][a-z0-9-]*$/.test(value.suite)) return false;
  return (
    Array.isArray(value.packages) &&
    value.packages.length > 0 &&
    value.packages.length <= packagesMax &&
    value.packages.every(isIdentity)
  );
}

function isIdentity(value: unknown): value is PackageIdentity {
  return (
    typeof value === 'object' &&
    value !== null &&
    'name' in value &&
    typeof value.name === 'string' &&
    /^[a-z0-9][a-z0-9.+-]+$/.test(value.name) &&
    'version' in value &&
    typeof value.version === 'string' &&
    /^[\w.+:~-]+$/.test(value.version) &&
    'sha256' in value &&
    typeof value.sha256 === 'string' &&
    isSha256(value.sha256)
  );
}
