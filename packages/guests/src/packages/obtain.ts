/**
 * Gets the packages of a guest image or of a root disk, from the nearest place that has them: what the lock file names, if the cache
 * or the package folder holds it; else what the package folder holds; else Debian's archive, whose suites are tried
 * in order, since a mirror may be in the middle of its synchronisation.
 */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { removeLeftovers, temporarySuffix } from '../cache-folder.ts';
import { sha256OfFile } from '../digest.ts';
import { GuestImageError } from '../guest-image-error.ts';
import { type ArchiveArchitecture, type AvailablePackage, machineSources, SuiteArchive } from './apt.ts';
import type { DebianSource } from './apt-sources.ts';
import type { PackageLock } from './lock-file.ts';
import {
  busyboxPackage,
  chooseKernelPackages,
  isKernelPackage,
  kernelMetaPackage,
  type LocalPackage,
} from './package.ts';
import { PackageCache } from './package-cache.ts';
import { readPackageFolder } from './package-folder.ts';

/** Which packages are meant. */
export interface PackageSelection {
  /** For people, in what could not be had: "the guest image's packages". */
  readonly what: string;
  /** Their suite, where the lock file names none: tried in this order. */
  readonly suites: readonly string[];
  /** Whose index is read; default: riscv64. */
  readonly architecture?: ArchiveArchitecture;
  /** Those among a person's files, or undefined if they are not complete. */
  readonly fromFolder: (folder: ReadonlyMap<string, LocalPackage>) => readonly LocalPackage[] | undefined;
  /** @throws GuestImageError image.unavailable naming what the archive lacks */
  readonly find: (archive: SuiteArchive) => Promise<readonly AvailablePackage[]>;
}

export interface ObtainOptions {
  /** Default: the guest image's. */
  readonly selection?: PackageSelection;
  readonly cacheFolder: string;
  /** `SKEIN_PACKAGE_CACHE`. */
  readonly packageFolder: string | undefined;
  readonly lock: PackageLock | undefined;
  /** What the lock names is not good enough: ask the archive for the present packages. */
  readonly refresh: boolean;
  readonly warn: (message: string) => void;
  readonly onProgress: (phase: string, bytes: number, bytesTotal: number) => void;
}

export interface ObtainedPackages {
  /** Of Debian; `local` when only a package folder was used that the lock file knows nothing about. */
  readonly suite: string;
  readonly packages: readonly LocalPackage[];
}

/** A kernel, and busybox. */
const guestImagePackages: PackageSelection = {
  what: "the guest image's packages",
  suites: ['trixie', 'forky', 'sid'],
  fromFolder: chooseFromFolder,
  find: findWanted,
};

const localSuite = 'local';

/** @throws GuestImageError image.unavailable, telling for each place why it could not be used */
export async function obtainPackages(options: ObtainOptions): Promise<ObtainedPackages> {
  const cache = new PackageCache(options.cacheFolder, options.warn);
  const folder =
    options.packageFolder === undefined
      ? new Map<string, LocalPackage>()
      : await readPackageFolder(options.packageFolder);
  const near = async (sha256: string): Promise<string | undefined> =>
    [...folder.values()].find((candidate) => candidate.sha256 === sha256)?.path ?? (await cache.find(sha256));

  const locked =
    options.lock === undefined || options.refresh ? undefined : await findLocked(options.lock, near);
  if (locked !== undefined) return locked;
  const chosen = (options.selection ?? guestImagePackages).fromFolder(folder);
  if (chosen !== undefined && !options.refresh) return { suite: localSuite, packages: chosen };
  return await obtainFromArchive(options, cache, near);
}

type Near = (sha256: string) => Promise<string | undefined>;

async function findLocked(lock: PackageLock, near: Near): Promise<ObtainedPackages | undefined> {
  const packages: LocalPackage[] = [];
  for (const identity of lock.packages) {
    const path = await near(identity.sha256);
    if (path === undefined) return undefined;
    packages.push({ ...identity, path });
  }
  return { suite: lock.suite, packages };
}

function chooseFromFolder(folder: ReadonlyMap<string, LocalPackage>): readonly LocalPackage[] | undefined {
  const names = chooseKernelPackages(new Set([...folder.keys()].filter(isKernelPackage)));
  if (names === undefined) return undefined;
  const packages = [busyboxPackage, ...names].flatMap((name) => folder.get(name) ?? []);
  return packages.length === names.length + 1 ? packages : undefined;
}

async function obtainFromArchive(
  options: ObtainOptions,
  cache: PackageCache,
  near: Near,
): Promise<ObtainedPackages> {
  const sources = await machineSources();
  const { what, suites } = options.selection ?? guestImagePackages;
  const order = new Set([
    ...(options.lock === undefined || options.refresh ? [] : [options.lock.suite]),
    ...suites,
  ]);
  order.delete(localSuite);
  const reasons: string[] = [];
  for (const suite of order) {
    for (const source of sources) {
      try {
        return { suite, packages: await obtainFromSuite(source, suite, options, cache, near) };
      } catch (cause) {
        if (!(cause instanceof GuestImageError)) throw cause;
        reasons.push(cause.message);
        options.warn(`Debian's ${suite} cannot be used: ${cause.message}`);
      }
    }
  }
  throw new GuestImageError(
    'image.unavailable',
    `${what} cannot be had. ${reasons.join('; ')}. Check this machine's network and apt ` +
      'sources and try again (a mirror in the middle of its synchronisation heals by itself), or put the packages ' +
      'of a riscv64 kernel and busybox-static into a folder and name it in SKEIN_PACKAGE_CACHE.',
  );
}

async function obtainFromSuite(
  source: DebianSource,
  suite: string,
  options: ObtainOptions,
  cache: PackageCache,
  near: Near,
): Promise<readonly LocalPackage[]> {
  options.onProgress(`index of Debian ${suite}`, 0, 0);
  const selection = options.selection ?? guestImagePackages;
  const archive = await SuiteArchive.open(source, suite, selection.architecture);
  try {
    const wanted = await selection.find(archive);
    const present: LocalPackage[] = [];
    const absent: AvailablePackage[] = [];
    for (const item of wanted) {
      const path = await near(item.sha256);
      if (path === undefined) absent.push(item);
      else present.push({ name: item.name, version: item.version, sha256: item.sha256, path });
    }
    if (absent.length > 0) present.push(...(await downloadInto(cache, archive, absent, options.onProgress)));
    return present;
  } finally {
    await archive.close();
  }
}

async function findWanted(archive: SuiteArchive): Promise<readonly AvailablePackage[]> {
  const busybox = await archive.find(busyboxPackage);
  const meta = await archive.find(kernelMetaPackage);
  const release = meta?.dependsOn
    .map((name) => /^linux-image-(\d.*)$/.exec(name)?.[1])
    .find((name) => name !== undefined);
  if (busybox === undefined || release === undefined) {
    throw new GuestImageError(
      'image.unavailable',
      `suite ${archive.suite} lacks ${busybox === undefined ? busyboxPackage : kernelMetaPackage} for riscv64`,
    );
  }
  const available = new Map<string, AvailablePackage>();
  for (const kind of ['image', 'binary', 'modules']) {
    const item = await archive.find(`linux-${kind}-${release}`);
    if (item !== undefined) available.set(item.name, item);
  }
  const names = chooseKernelPackages(new Set(available.keys()));
  if (names === undefined) {
    throw new GuestImageError(
      'image.unavailable',
      `suite ${archive.suite} has only a part of kernel ${release}`,
    );
  }
  return [busybox, ...names.flatMap((name) => available.get(name) ?? [])];
}

async function downloadInto(
  cache: PackageCache,
  archive: SuiteArchive,
  packages: readonly AvailablePackage[],
  onProgress: ObtainOptions['onProgress'],
): Promise<readonly LocalPackage[]> {
  const bytesTotal = packages.reduce((sum, item) => sum + item.bytes, 0);
  await removeLeftovers(cache.folder);
  // Beside the cache's files, so that a finished one is renamed and not copied.
  const folder = join(cache.folder, `download.${temporarySuffix()}`);
  await mkdir(folder, { recursive: true });
  try {
    const phase = `packages of Debian ${archive.suite}`;
    onProgress(phase, 0, bytesTotal);
    const files = await archive.download(packages, folder, (bytes) => onProgress(phase, bytes, bytesTotal));
    onProgress(phase, bytesTotal, bytesTotal);
    const local: LocalPackage[] = [];
    for (const [index, item] of packages.entries()) {
      const file = files[index] ?? '';
      if ((await sha256OfFile(file)) !== item.sha256) {
        throw new GuestImageError(
          'image.corrupt',
          `${item.name} arrived with another content than Debian signed`,
        );
      }
      local.push({
        name: item.name,
        version: item.version,
        sha256: item.sha256,
        path: await cache.take(file, item.sha256),
      });
    }
    return local;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
