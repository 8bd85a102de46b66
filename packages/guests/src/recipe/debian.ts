/** The image `debian`: an unmodified kernel of Debian's with those of its modules that a guest loads, and busybox. */
import type { ImageSettings } from '../image-settings.ts';
import type { ImageContents } from '../image-store.ts';
import { defaultBootArguments, identityPort } from '../initramfs/init.ts';
import { buildDiskModules, buildInitramfs } from '../initramfs/initramfs.ts';
import { diskModules, guestModules, readGuestKernel } from '../kernel.ts';
import { describeChanges, readLockFile, writeLockFile } from '../packages/lock-file.ts';
import { obtainPackages } from '../packages/obtain.ts';
import { isKernelPackage } from '../packages/package.ts';
import { buildWorkloads } from '../workloads/index.ts';
import { type Recipe, readBusybox, sortedByName } from './recipe.ts';

/**
 * Memory with which the image boots to its shell and leaves a few MiB to workloads; with 92 the out-of-memory
 * killer comes, with less there is no sign of life. Measured with Debian's 7.2, which takes 77 MiB for itself:
 * 36 of image and 32 of a table of memory sections for every address that the architecture could have.
 */
const memoryMibMin = 96;

export const debianRecipe: Recipe = {
  ingredients: [defaultBootArguments, memoryMibMin, identityPort, guestModules, diskModules],
  lockFilesOf: ({ lockFile }) => [lockFile],
  make,
};

async function make(settings: ImageSettings): Promise<ImageContents> {
  // A lock file that is about to be rewritten may be damaged.
  const lock = settings.updateLock ? undefined : await readLockFile(settings.lockFile);
  const obtained = await obtainPackages({ ...settings, lock, refresh: settings.updateLock });
  if (lock !== undefined)
    for (const change of describeChanges(lock, obtained.packages)) settings.warn(change);
  settings.onProgress('kernel and modules', 0, 0);
  const kernel = await readGuestKernel(
    obtained.packages.filter(({ name }) => isKernelPackage(name)).map(({ path }) => path),
  );
  settings.onProgress('initramfs', 0, 0);
  const busybox = await readBusybox(obtained.packages);
  const contents = {
    name: 'debian' as const,
    kernel: kernel.image,
    initrd: buildInitramfs({ busybox, modules: kernel.modules, programs: buildWorkloads() }),
    diskModules: buildDiskModules(kernel.diskModules),
    kernelVersion: kernel.version,
    defaultBootArguments,
    memoryMibMin,
    identityPort: kernel.hasConsolePorts ? identityPort : null,
    packages: sortedByName(obtained.packages),
  };
  if (settings.updateLock) await writeLockFile(settings.lockFile, obtained);
  return contents;
}
