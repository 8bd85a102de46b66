/** What may be said about the making of a guest image, and what is taken where nothing is said. */
import { defaultCacheFolder } from './cache-folder.ts';
import type { GuestImageName } from './image-name.ts';
import { defaultLockFile } from './packages/lock-file.ts';
import { defaultKernelSourceLockFile } from './small-kernel/kernel-source.ts';

export interface GuestImageOptions {
  /** Default: `debian`. */
  readonly name?: GuestImageName;
  /** Default: `$SKEIN_CACHE`, else the user's cache folder. */
  readonly cacheFolder?: string;
  /** A folder of .deb files to use first. Default: `$SKEIN_PACKAGE_CACHE`. */
  readonly packageFolder?: string;
  /** Default: packages.lock.json of this package. */
  readonly lockFile?: string;
  /** Of the small kernel's source. Default: small-kernel.lock.json of this package. */
  readonly kernelSourceLockFile?: string;
  /** Take the archive's present packages (of the small image: its kernel's source) instead of those in the lock file, and write them to it. */
  readonly updateLock?: boolean;
  /** For people: what is being done, how much of it, and of how much (0: unknown); bytes where nothing else is said. */
  readonly onProgress?: (phase: string, done: number, total: number, unit?: 'files') => void;
  /** For people: what is not as it should be, but was coped with. */
  readonly onWarning?: (message: string) => void;
  /** Ends the compilation of a kernel, with its reason. What is fetched is fetched to its end. */
  readonly signal?: AbortSignal;
}

export interface ImageSettings {
  readonly name: GuestImageName;
  readonly cacheFolder: string;
  readonly packageFolder: string | undefined;
  readonly lockFile: string;
  readonly kernelSourceLockFile: string;
  readonly updateLock: boolean;
  readonly onProgress: Required<GuestImageOptions>['onProgress'];
  readonly warn: (message: string) => void;
  readonly signal: AbortSignal | undefined;
}

export function settingsOf(options: GuestImageOptions): ImageSettings {
  const folder = options.packageFolder ?? process.env.SKEIN_PACKAGE_CACHE;
  return {
    name: options.name ?? 'debian',
    cacheFolder: options.cacheFolder ?? defaultCacheFolder(),
    packageFolder: folder === '' ? undefined : folder,
    lockFile: options.lockFile ?? defaultLockFile,
    kernelSourceLockFile: options.kernelSourceLockFile ?? defaultKernelSourceLockFile,
    updateLock: options.updateLock ?? false,
    onProgress: options.onProgress ?? (() => undefined),
    warn: options.onWarning ?? (() => undefined),
    signal: options.signal,
  };
}
