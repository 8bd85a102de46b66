/** The image `small`: a kernel compiled here from Debian's source, all of its drivers built in, and busybox. */
import type { ImageSettings } from '../image-settings.ts';
import type { ImageContents } from '../image-store.ts';
import { identityPort, smallBootArguments } from '../initramfs/init.ts';
import { buildDiskModules, buildInitramfs } from '../initramfs/initramfs.ts';
import { hasConsolePortsBuiltIn } from '../kernel.ts';
import { describeChanges, type PackageLock, readLockFile, writeLockFile } from '../packages/lock-file.ts';
import { obtainPackages, type PackageSelection } from '../packages/obtain.ts';
import { busyboxPackage, type LocalPackage } from '../packages/package.ts';
import { kernelSourceSelection } from '../small-kernel/kernel-source.ts';
import { ensureSmallKernel, fragment } from '../small-kernel/small-kernel.ts';
import { describeToolchain } from '../small-kernel/toolchain.ts';
import { buildWorkloads } from '../workloads/index.ts';
import { type Recipe, readBusybox, sortedByName } from './recipe.ts';

/** Memory with which the image boots to its shell and leaves half of it to workloads; measured with Linux 6.1. */
const memoryMibMin = 32;

export const smallRecipe: Recipe = {
  ingredients: [smallBootArguments, memoryMibMin, identityPort, fragment],
  lockFilesOf: ({ lockFile, kernelSourceLockFile }) => [lockFile, kernelSourceLockFile],
  make,
};

const busyboxSelection: PackageSelection = {
  what: 'busybox',
  suites: ['trixie', 'forky', 'sid'],
  fromFolder: (folder) => {
    const found = folder.get(busyboxPackage);
    return found === undefined ? undefined : [found];
  },
  find: (archive) => archive.resolve([busyboxPackage]),
};

async function make(settings: ImageSettings): Promise<ImageContents> {
  // Said before 140 MB are fetched in vain.
  await describeToolchain();
  const busyboxPackages = await obtainBusybox(settings);
  const source = await obtainSource(settings);
  const kernel = await ensureSmallKernel({ ...settings, source });
  settings.onProgress('initramfs', 0, 0);
  const busybox = await readBusybox(busyboxPackages);
  return {
    name: 'small',
    kernel: kernel.image,
    initrd: buildInitramfs({ busybox, modules: [], programs: buildWorkloads() }),
    diskModules: buildDiskModules([]),
    kernelVersion: kernel.version,
    defaultBootArguments: smallBootArguments,
    memoryMibMin,
    identityPort: hasConsolePortsBuiltIn(kernel.image) ? identityPort : null,
    packages: sortedByName([...busyboxPackages, source]),
  };
}

/** The same one that the image `debian` has. */
async function obtainBusybox(settings: ImageSettings): Promise<readonly LocalPackage[]> {
  const lock = busyboxOf(await readLockFile(settings.lockFile));
  const selection = busyboxSelection;
  const obtained = await obtainPackages({ ...settings, selection, lock, refresh: false });
  if (lock !== undefined)
    for (const change of describeChanges(lock, obtained.packages)) settings.warn(change);
  return obtained.packages;
}

function busyboxOf(lock: PackageLock | undefined): PackageLock | undefined {
  const packages = lock?.packages.filter(({ name }) => name === busyboxPackage) ?? [];
  return lock === undefined || packages.length === 0 ? undefined : { suite: lock.suite, packages };
}

async function obtainSource(settings: ImageSettings): Promise<LocalPackage> {
  const { updateLock, kernelSourceLockFile } = settings;
  const lock = updateLock ? undefined : await readLockFile(kernelSourceLockFile);
  const selection = kernelSourceSelection;
  const obtained = await obtainPackages({ ...settings, selection, lock, refresh: updateLock });
  if (lock !== undefined)
    for (const change of describeChanges(lock, obtained.packages)) settings.warn(change);
  const [source] = obtained.packages;
  if (source === undefined) throw new Error('a selection of one package brought none');
  if (updateLock) await writeLockFile(kernelSourceLockFile, obtained);
  return source;
}
