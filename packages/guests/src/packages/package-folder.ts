/**
 * A folder of .deb files that a person keeps (`SKEIN_PACKAGE_CACHE`): looked into before anything is fetched, and
 * never written to. A file is known by what it says inside, not by its name.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { reasonOf } from '../cache-folder.ts';
import { sha256OfFile } from '../digest.ts';
import { GuestImageError } from '../guest-image-error.ts';
import { readDebianControl } from './debian-archive.ts';
import { busyboxPackage, isKernelPackage, kernelSourcePackage, type LocalPackage } from './package.ts';

/** A folder with more candidates than this is a mirror, which apt should read. */
const candidatesMax = 32;

/**
 * The packages in the folder that could be of use, by name; of several versions the newest.
 * @throws GuestImageError image.unavailable when the folder cannot be read, image.corrupt for a damaged package
 */
export async function readPackageFolder(folder: string): Promise<ReadonlyMap<string, LocalPackage>> {
  const candidates = await listCandidates(folder);
  const packages = new Map<string, LocalPackage>();
  for (const file of candidates) {
    const path = join(folder, file);
    const control = await readDebianControl(path);
    const isForGuests = control.name === busyboxPackage || isKernelPackage(control.name);
    const architecture = isForGuests ? 'riscv64' : control.name === kernelSourcePackage ? 'all' : undefined;
    if (control.architecture !== architecture) continue;
    const other = packages.get(control.name);
    if (other !== undefined && other.version.localeCompare(control.version, 'en', { numeric: true }) > 0)
      continue;
    packages.set(control.name, {
      name: control.name,
      version: control.version,
      sha256: await sha256OfFile(path),
      path,
    });
  }
  return packages;
}

async function listCandidates(folder: string): Promise<readonly string[]> {
  let files: string[];
  try {
    files = await readdir(folder);
  } catch (cause) {
    throw new GuestImageError(
      'image.unavailable',
      `the package folder ${folder} (SKEIN_PACKAGE_CACHE) cannot be read: ${reasonOf(cause)}`,
      { cause },
    );
  }
  const candidates = files
    .filter(
      (file) =>
        file.endsWith('.deb') && /^(?:busybox-static|linux-(?:image|binary|modules|source)-)/.test(file),
    )
    .sort();
  if (candidates.length > candidatesMax) {
    throw new GuestImageError(
      'image.unavailable',
      `the package folder ${folder} (SKEIN_PACKAGE_CACHE) has ${candidates.length} candidates, at most ` +
        `${candidatesMax} are read; leave only the kernel and busybox to use`,
    );
  }
  return candidates;
}
