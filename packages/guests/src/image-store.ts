/**
 * Built guest images, each in a folder named after its digest: `kernel`, `initrd`, `disk-modules` and `manifest.json`. An image is
 * complete or absent, never changed, and compared with its digest each time it is loaded.
 */
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import {
  absentAsUndefined,
  putInPlace,
  reasonOf,
  removeLeftovers,
  temporarySuffix,
  writeFileAtomically,
} from './cache-folder.ts';
import { isSha256, sha256, sha256OfFile } from './digest.ts';
import { GuestImageError } from './guest-image-error.ts';
import { type GuestImageName, isGuestImageName } from './image-name.ts';
import type { PackageIdentity } from './packages/package.ts';

export interface GuestImage {
  readonly name: GuestImageName;
  /** SHA-256 over everything below; two hosts with the same digest boot the same guest. */
  readonly digest: string;
  /** A flat RISC-V Image. */
  readonly kernelPath: string;
  /** An uncompressed cpio archive. */
  readonly initrdPath: string;
  /** Another one, to be put behind the initrd of a machine whose root is on a disk; null in images of before there was one. */
  readonly diskModulesPath: string | null;
  readonly kernelVersion: string;
  /** What the image needs on its kernel's command line; a VM's own arguments are appended. */
  readonly defaultBootArguments: string;
  /** Memory with which it boots and can do something; null where its builder did not say. */
  readonly memoryMibMin: number | null;
  /** The virtio port from which its init reads who the guest is; null: it knows the kernel's command line alone. */
  readonly identityPort: string | null;
  readonly packages: readonly PackageIdentity[];
}

/** What an image consists of before it is stored. */
export interface ImageContents {
  readonly name: GuestImageName;
  readonly kernel: Uint8Array;
  readonly initrd: Uint8Array;
  readonly diskModules: Uint8Array;
  readonly kernelVersion: string;
  readonly defaultBootArguments: string;
  readonly memoryMibMin: number;
  readonly identityPort: string | null;
  readonly packages: readonly PackageIdentity[];
}

interface Manifest {
  readonly formatVersion: typeof formatVersion;
  readonly kernelSha256: string;
  readonly initrdSha256: string;
  /** Images of before there were disks lack it. */
  readonly diskModulesSha256?: string;
  readonly kernelVersion: string;
  readonly defaultBootArguments: string;
  /** Absent in images that were made before there was such a thing. */
  readonly memoryMibMin?: number;
  /** Images of before there were templates lack it. */
  readonly identityPort?: string;
  /** Absent in those with Debian's kernel, the only ones at first. */
  readonly name?: Exclude<GuestImageName, 'debian'>;
  readonly packages: readonly PackageIdentity[];
}

const formatVersion = 1;

/** Stores an image, or finds that it is stored already; safe beside other processes that do the same. */
export async function storeImage(cacheFolder: string, contents: ImageContents): Promise<GuestImage> {
  const manifest: Manifest = {
    formatVersion,
    kernelSha256: sha256(contents.kernel),
    initrdSha256: sha256(contents.initrd),
    diskModulesSha256: sha256(contents.diskModules),
    kernelVersion: contents.kernelVersion,
    defaultBootArguments: contents.defaultBootArguments,
    memoryMibMin: contents.memoryMibMin,
    ...(contents.identityPort === null ? {} : { identityPort: contents.identityPort }),
    ...(contents.name === 'debian' ? {} : { name: contents.name }),
    packages: contents.packages.map(({ name, version, sha256 }) => ({ name, version, sha256 })),
  };
  const digest = digestOf(manifest);
  const folder = imageFolder(cacheFolder, digest);
  const temporary = `${folder}.${temporarySuffix()}`;
  try {
    await removeLeftovers(dirname(folder));
    await mkdir(temporary, { recursive: true });
    await writeFileAtomically(join(temporary, 'kernel'), contents.kernel);
    await writeFileAtomically(join(temporary, 'initrd'), contents.initrd);
    await writeFileAtomically(join(temporary, 'disk-modules'), contents.diskModules);
    await writeFileAtomically(join(temporary, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`);
    await putInPlace(temporary, folder, () => isSound(cacheFolder, digest));
  } catch (cause) {
    if (cause instanceof GuestImageError) throw cause;
    throw new GuestImageError(
      'image.unavailable',
      `image cannot be stored in ${folder}: ${reasonOf(cause)}`,
      {
        cause,
      },
    );
  } finally {
    await rm(temporary, { recursive: true, force: true }).catch(() => undefined);
  }
  return await loadImage(cacheFolder, digest);
}

async function isSound(cacheFolder: string, digest: string): Promise<boolean> {
  return await loadImage(cacheFolder, digest).then(
    () => true,
    () => false,
  );
}

/**
 * @throws GuestImageError image.not-found when there is no such image, image.corrupt when it is not what its
 * digest says
 */
export async function loadImage(cacheFolder: string, digest: string): Promise<GuestImage> {
  if (!isSha256(digest)) throw new GuestImageError('image.not-found', `${digest} is not an image's digest`);
  const folder = imageFolder(cacheFolder, digest);
  const text = await absentAsUndefined(readFile(join(folder, 'manifest.json'), 'utf8'));
  if (text === undefined) {
    throw new GuestImageError('image.not-found', `no guest image ${digest} in ${cacheFolder}`);
  }
  const manifest = parseManifest(text);
  if (manifest === undefined || digestOf(manifest) !== digest) throw corrupt(folder, 'manifest.json');
  const kernelPath = join(folder, 'kernel');
  const initrdPath = join(folder, 'initrd');
  if ((await absentAsUndefined(sha256OfFile(kernelPath))) !== manifest.kernelSha256)
    throw corrupt(folder, 'kernel');
  if ((await absentAsUndefined(sha256OfFile(initrdPath))) !== manifest.initrdSha256)
    throw corrupt(folder, 'initrd');
  const { diskModulesSha256 } = manifest;
  const diskModulesPath = diskModulesSha256 === undefined ? null : join(folder, 'disk-modules');
  if (
    diskModulesPath !== null &&
    (await absentAsUndefined(sha256OfFile(diskModulesPath))) !== diskModulesSha256
  )
    throw corrupt(folder, 'disk-modules');
  const {
    kernelVersion,
    defaultBootArguments,
    memoryMibMin = null,
    identityPort = null,
    name = 'debian',
    packages,
  } = manifest;
  return {
    name,
    digest,
    kernelPath,
    initrdPath,
    diskModulesPath,
    kernelVersion,
    defaultBootArguments,
    memoryMibMin,
    identityPort,
    packages,
  };
}

/** Digests of the images in the cache, sound or not. */
export async function storedDigests(cacheFolder: string): Promise<readonly string[]> {
  const names = (await absentAsUndefined(readdir(join(cacheFolder, 'images')))) ?? [];
  return names.filter(isSha256).sort();
}

export async function removeImage(cacheFolder: string, digest: string): Promise<void> {
  if (isSha256(digest)) await rm(imageFolder(cacheFolder, digest), { recursive: true, force: true });
}

function imageFolder(cacheFolder: string, digest: string): string {
  return join(cacheFolder, 'images', digest);
}

function corrupt(folder: string, file: string): GuestImageError {
  return new GuestImageError(
    'image.corrupt',
    `the guest image in ${folder} is damaged: ${file} is not what it was`,
  );
}

/** Over named fields in a fixed order, so that the file's layout does not matter. */
function digestOf(manifest: Manifest): string {
  const { kernelSha256, initrdSha256, kernelVersion, defaultBootArguments, packages } = manifest;
  const { memoryMibMin, identityPort, diskModulesSha256, name } = manifest;
  const listed = packages.map(({ name, version, sha256 }) => [name, version, sha256]);
  const files = [kernelSha256, initrdSha256, kernelVersion];
  // Images of before there was one of these fields keep their digests; their forms tell them apart.
  const later = [memoryMibMin, identityPort, diskModulesSha256, name].filter((field) => field !== undefined);
  return sha256(JSON.stringify([formatVersion, ...files, defaultBootArguments, listed, ...later]));
}

/** The manifest, or undefined. Fields of a wrong type would not survive the comparison of the digest either. */
function parseManifest(text: string): Manifest | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const manifest = value as Partial<Record<keyof Manifest, unknown>>;
  const strings = ['kernelSha256', 'initrdSha256', 'kernelVersion', 'defaultBootArguments'] as const;
  const isManifest =
    manifest.formatVersion === formatVersion &&
    strings.every((name) => typeof manifest[name] === 'string') &&
    (manifest.memoryMibMin === undefined || Number.isInteger(manifest.memoryMibMin)) &&
    (manifest.name === undefined || isGuestImageName(String(manifest.name))) &&
    Array.isArray(manifest.packages) &&
    manifest.packages.every((item: unknown) => typeof item === 'object' && item !== null);
  return isManifest ? (value as Manifest) : undefined;
}
