/**
 * Makes the guest image: an unmodified Debian kernel and an initramfs of our own, from verified packages, kept by
 * content. The same packages and the same sources give the same bytes on every machine.
 */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { absentAsUndefined, defaultCacheFolder, makeFolder, writeFileAtomically } from './cache-folder.ts';
import { isSha256, sha256 } from './digest.ts';
import { GuestImageError } from './guest-image-error.ts';
import { type GuestImage, loadImage, removeImage, storedDigests, storeImage } from './image-store.ts';
import { defaultBootArguments, identityPort } from './initramfs/init.ts';
import { buildDiskModules, buildInitramfs } from './initramfs/initramfs.ts';
import { diskModules, guestModules, readGuestKernel } from './kernel.ts';
import { readDebianFiles } from './packages/debian-archive.ts';
import {
  defaultLockFile,
  describeChanges,
  type PackageLock,
  readLockFile,
  writeLockFile,
} from './packages/lock-file.ts';
import { obtainPackages } from './packages/obtain.ts';
import { busyboxPackage, isKernelPackage, type LocalPackage } from './packages/package.ts';
import { buildWorkloads } from './workloads/index.ts';

export interface GuestImageOptions {
  /** Default: `$SKEIN_CACHE`, else the user's cache folder. */
  readonly cacheFolder?: string;
  /** A folder of .deb files to use first. Default: `$SKEIN_PACKAGE_CACHE`. */
  readonly packageFolder?: string;
  /** Default: packages.lock.json of this package. */
  readonly lockFile?: string;
  /** Take the archive's present packages instead of those in the lock file, and write them to it. */
  readonly updateLock?: boolean;
  /** For people: what is being done, how much of it, and of how much (0: unknown). */
  readonly onProgress?: (phase: string, bytes: number, bytesTotal: number) => void;
  /** For people: what is not as it should be, but was coped with. */
  readonly onWarning?: (message: string) => void;
}

interface Settings {
  readonly cacheFolder: string;
  readonly packageFolder: string | undefined;
  readonly lockFile: string;
  readonly updateLock: boolean;
  readonly onProgress: (phase: string, bytes: number, bytesTotal: number) => void;
  readonly warn: (message: string) => void;
}

/**
 * Memory with which the image boots to its shell and leaves a few MiB to workloads; with 92 the out-of-memory
 * killer comes, with less there is no sign of life. Measured with Debian's 7.2, which takes 77 MiB for itself:
 * 36 of image and 32 of a table of memory sections for every address that the architecture could have.
 */
export const guestMemoryMibMin = 96;

const busyboxPath = /^(?:usr\/)?bin\/busybox$/;

/**
 * The image that this checkout's lock file, sources and package folder ask for: from the cache, verified, or built.
 * @throws GuestImageError image.unavailable, image.corrupt, image.invalid
 */
export async function ensureGuestImage(options: GuestImageOptions = {}): Promise<GuestImage> {
  const settings = settingsOf(options);
  if (settings.updateLock) return await buildGuestImage(options);
  const request = requestFile(settings, await requestKey(settings));
  const digest = (await absentAsUndefined(readFile(request, 'utf8')))?.trim();
  if (digest !== undefined && isSha256(digest)) {
    try {
      return await loadImage(settings.cacheFolder, digest);
    } catch (cause) {
      if (!(cause instanceof GuestImageError)) throw cause;
      if (cause.code === 'image.corrupt') settings.warn(`${cause.message}; it is made anew`);
      await removeImage(settings.cacheFolder, digest);
    }
  }
  return await buildGuestImage(options);
}

/** Builds the image even if the cache has one. Errors as for `ensureGuestImage`. */
export async function buildGuestImage(options: GuestImageOptions = {}): Promise<GuestImage> {
  const settings = settingsOf(options);
  await makeFolder(settings.cacheFolder);
  const lock = await readLock(settings);
  const obtained = await obtainPackages({ ...settings, lock, refresh: settings.updateLock });
  if (lock !== undefined && !settings.updateLock) {
    for (const change of describeChanges(lock, obtained.packages)) settings.warn(change);
  }
  settings.onProgress('kernel and modules', 0, 0);
  const kernel = await readGuestKernel(
    obtained.packages.filter(({ name }) => isKernelPackage(name)).map(({ path }) => path),
  );
  settings.onProgress('initramfs', 0, 0);
  const initrd = buildInitramfs({
    busybox: await readBusybox(obtained.packages),
    modules: kernel.modules,
    programs: buildWorkloads(),
  });
  const image = await storeImage(settings.cacheFolder, {
    kernel: kernel.image,
    initrd,
    diskModules: buildDiskModules(kernel.diskModules),
    kernelVersion: kernel.version,
    defaultBootArguments,
    memoryMibMin: guestMemoryMibMin,
    identityPort: kernel.hasConsolePorts ? identityPort : null,
    packages: [...obtained.packages].sort((a, b) => (a.name < b.name ? -1 : 1)),
  });
  if (settings.updateLock) await writeLockFile(settings.lockFile, obtained);
  await writeFileAtomically(requestFile(settings, await requestKey(settings)), `${image.digest}\n`);
  return image;
}

/** The sound images in the cache, in the order of their digests. */
export async function listGuestImages(options: GuestImageOptions = {}): Promise<readonly GuestImage[]> {
  const { cacheFolder, warn } = settingsOf(options);
  const images: GuestImage[] = [];
  for (const digest of await storedDigests(cacheFolder)) {
    try {
      images.push(await loadImage(cacheFolder, digest));
    } catch (cause) {
      if (!(cause instanceof GuestImageError)) throw cause;
      warn(cause.message);
    }
  }
  return images;
}

/** Fewer digits are no name for anything. */
const digestDigitsMin = 6;

/**
 * The image with this digest, or with the only one that begins so, verified.
 * @throws GuestImageError image.not-found, image.corrupt; image.invalid where several begin so
 */
export async function loadGuestImage(digest: string, options: GuestImageOptions = {}): Promise<GuestImage> {
  const { cacheFolder } = settingsOf(options);
  if (digest.length < digestDigitsMin) return await loadImage(cacheFolder, digest);
  const found = (await storedDigests(cacheFolder)).filter((stored) => stored.startsWith(digest));
  if (found.length <= 1) return await loadImage(cacheFolder, found[0] ?? digest);
  throw new GuestImageError(
    'image.invalid',
    `${found.length} images begin with ${digest}: give more of it (${found.join(', ')})`,
  );
}

function settingsOf(options: GuestImageOptions): Settings {
  const folder = options.packageFolder ?? process.env.SKEIN_PACKAGE_CACHE;
  return {
    cacheFolder: options.cacheFolder ?? defaultCacheFolder(),
    packageFolder: folder === '' ? undefined : folder,
    lockFile: options.lockFile ?? defaultLockFile,
    updateLock: options.updateLock ?? false,
    onProgress: options.onProgress ?? (() => undefined),
    warn: options.onWarning ?? (() => undefined),
  };
}

/** A lock file that is about to be rewritten may be damaged. */
async function readLock(settings: Settings): Promise<PackageLock | undefined> {
  return settings.updateLock ? undefined : await readLockFile(settings.lockFile);
}

async function readBusybox(packages: readonly LocalPackage[]): Promise<Uint8Array> {
  const found = packages.find(({ name }) => name === busyboxPackage);
  const files =
    found === undefined ? undefined : await readDebianFiles(found.path, (path) => busyboxPath.test(path));
  const busybox = files?.values().next().value;
  if (busybox === undefined) {
    throw new GuestImageError('image.corrupt', `the package ${busyboxPackage} holds no bin/busybox`);
  }
  return busybox;
}

/**
 * What decides which image is made, known before any package is read: the lock file, what the package folder
 * seems to hold, and all that we put in ourselves.
 */
async function requestKey(settings: Settings): Promise<string> {
  const ours = buildInitramfs({ busybox: new Uint8Array(0), modules: [], programs: buildWorkloads() });
  const lock = await readLockFile(settings.lockFile);
  return sha256(
    ours,
    JSON.stringify([
      defaultBootArguments,
      guestMemoryMibMin,
      identityPort,
      guestModules,
      diskModules,
      lock ?? null,
      await describeFolder(settings.packageFolder),
    ]),
  );
}

async function describeFolder(folder: string | undefined): Promise<readonly (string | number)[][]> {
  if (folder === undefined) return [];
  const names = ((await absentAsUndefined(readdir(folder))) ?? [])
    .filter((name) => name.endsWith('.deb'))
    .sort();
  return await Promise.all(
    names.map(async (name) => {
      const { size, mtimeMs } = await stat(join(folder, name));
      return [name, size, mtimeMs];
    }),
  );
}

function requestFile(settings: Settings, key: string): string {
  return join(settings.cacheFolder, 'image-requests', key);
}
