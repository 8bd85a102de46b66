/**
 * Makes a disk with a Debian root file system: a raw ext4 image of unchanged packages for riscv64 and a few files of our
 * own, without root and without running anything of the guest's. With it and `root=/dev/vda` a guest of our image goes on
 * from its initramfs to Debian's programs. What maintainer scripts would set up (users of services, services themselves)
 * is not: programs are there to be started.
 * Source: dpkg-deb(1), mke2fs(8).
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { defaultCacheFolder, makeFolder } from '../cache-folder.ts';
import { GuestImageError } from '../guest-image-error.ts';
import { describeChanges, readLockFile, writeLockFile } from '../packages/lock-file.ts';
import { obtainPackages, type PackageSelection } from '../packages/obtain.ts';
import type { PackageIdentity } from '../packages/package.ts';
import { makeExt4 } from './ext4.ts';
import { unpackTree } from './root-tree.ts';

export interface RootDiskOptions {
  /** Written, and replaced if it is there. */
  readonly path: string;
  readonly sizeMib: number;
  /** Debian's names; what they depend on comes along. */
  readonly packages: readonly string[];
  readonly cacheFolder?: string;
  /** Packages of before are taken again where the same are asked for, and what is taken is written to it. */
  readonly lockFile?: string;
  readonly onProgress?: (phase: string, bytes: number, bytesTotal: number) => void;
  readonly onWarning?: (message: string) => void;
}

export interface RootDisk {
  readonly path: string;
  readonly sizeBytes: number;
  readonly suite: string;
  readonly packages: readonly PackageIdentity[];
}

/** What people want to see run. */
export const defaultDiskPackages: readonly string[] = ['python3', 'redis-server', 'nginx', 'sqlite3'];
/** Root is a place to start programs from: a shell, the usual commands, the names of users, and busybox for the rest. */
const basePackages: readonly string[] = [
  'base-files',
  'base-passwd',
  'bash',
  'dash',
  'coreutils',
  'busybox-static',
];
export const diskSizeMibDefault = 512;

/** @throws GuestImageError image.unavailable, image.corrupt, image.invalid */
export async function buildRootDisk(options: RootDiskOptions): Promise<RootDisk> {
  const { sizeMib, packages: names, onWarning: warn = () => {}, onProgress = () => {} } = options;
  const path = resolve(options.path);
  const cacheFolder = options.cacheFolder ?? defaultCacheFolder();
  // Before anything is fetched.
  await rm(await workFolder(path), { recursive: true });
  await makeFolder(cacheFolder);
  const lock = options.lockFile === undefined ? undefined : await readLockFile(options.lockFile);
  const obtained = await obtainPackages({
    selection: selectionOf([...basePackages, ...names]),
    cacheFolder,
    packageFolder: undefined,
    lock,
    refresh: false,
    warn,
    onProgress,
  });
  if (lock !== undefined) for (const change of describeChanges(lock, obtained.packages)) warn(change);
  const folder = await workFolder(path);
  try {
    onProgress('file system', 0, 0);
    const tree = join(folder, 'tree');
    await unpackTree(tree, obtained.packages);
    await makeExt4({ tree, path, temporaryPath: join(folder, 'image'), sizeMib });
  } catch (cause) {
    if (cause instanceof GuestImageError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new GuestImageError('image.unavailable', `${path} cannot be made: ${reason}`, { cause });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  if (options.lockFile !== undefined) await writeLockFile(options.lockFile, obtained);
  const packages = obtained.packages.map(({ name, version, sha256 }) => ({ name, version, sha256 }));
  return { path, sizeBytes: sizeMib * 2 ** 20, suite: obtained.suite, packages };
}

/** On the file system where the disk is to be. */
async function workFolder(path: string): Promise<string> {
  return await mkdtemp(join(dirname(path), '.skein-root-disk-')).catch((cause: unknown) => {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new GuestImageError('image.unavailable', `${path} cannot be made: ${reason}`, { cause });
  });
}

function selectionOf(names: readonly string[]): PackageSelection {
  return {
    what: "the root disk's packages",
    suites: ['trixie', 'forky', 'sid'],
    fromFolder: () => undefined,
    find: (archive) => archive.resolve(names),
  };
}
