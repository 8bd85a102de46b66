/** Linux' source as Debian packs it: which package, and what of it is asked for where. */
import { fileURLToPath } from 'node:url';
import { GuestImageError } from '../guest-image-error.ts';
import type { PackageSelection } from '../packages/obtain.ts';
import { kernelSourcePackage } from '../packages/package.ts';

/** The lock file of this checkout for the source alone: what else an image holds stands in packages.lock.json. */
export const defaultKernelSourceLockFile = fileURLToPath(
  new URL('../../small-kernel.lock.json', import.meta.url),
);

/** Where the source lies in its package. */
export const sourceArchivePath = `./usr/src/${kernelSourcePackage}.tar.xz`;

export const kernelSourceSelection: PackageSelection = {
  what: "the small kernel's source",
  suites: ['bookworm'],
  // A source is for all of them; but this suite has no index for RISC-V.
  architecture: 'amd64',
  fromFolder: (folder) => {
    const found = folder.get(kernelSourcePackage);
    return found === undefined ? undefined : [found];
  },
  find: async (archive) => {
    const found = await archive.find(kernelSourcePackage);
    if (found !== undefined) return [found];
    throw new GuestImageError('image.unavailable', `suite ${archive.suite} lacks ${kernelSourcePackage}`);
  },
};
