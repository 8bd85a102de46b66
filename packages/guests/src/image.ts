/**
 * Makes guest images: a kernel and an initramfs of our own, from verified packages, kept by content. The same packages and
 * the same sources give the same bytes on every machine.
 */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { absentAsUndefined, makeFolder, writeFileAtomically } from './cache-folder.ts';
import { isSha256, sha256 } from './digest.ts';
import { GuestImageError } from './guest-image-error.ts';
import type { GuestImageName } from './image-name.ts';
import { type GuestImageOptions, type ImageSettings, settingsOf } from './image-settings.ts';
import { type GuestImage, loadImage, removeImage, storedDigests, storeImage } from './image-store.ts';
import { buildInitramfs } from './initramfs/initramfs.ts';
import { readLockFile } from './packages/lock-file.ts';
import { debianRecipe } from './recipe/debian.ts';
import type { Recipe } from './recipe/recipe.ts';
import { smallRecipe } from './recipe/small.ts';
import { buildWorkloads } from './workloads/index.ts';

const recipes: Readonly<Record<GuestImageName, Recipe>> = { debian: debianRecipe, small: smallRecipe };

/**
 * The image that this checkout's lock files, sources and package folder ask for: from the cache, verified, or built.
 * @throws GuestImageError image.unavailable, image.corrupt, image.invalid; of the small one also
 * image.toolchain-missing and image.build-failed, and the reason of `signal`
 */
export async function ensureGuestImage(options: GuestImageOptions = {}): Promise<GuestImage> {
  const settings = settingsOf(options);
  if (settings.updateLock) return await buildGuestImage(options);
  const digest = await requestedDigest(settings);
  if (digest !== undefined) {
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

/**
 * The same if the cache has it; undefined if it would have to be built.
 * @throws GuestImageError image.corrupt, image.invalid
 */
export async function findGuestImage(options: GuestImageOptions = {}): Promise<GuestImage | undefined> {
  const settings = settingsOf(options);
  const digest = await requestedDigest(settings);
  if (digest === undefined) return undefined;
  return await loadImage(settings.cacheFolder, digest).catch((cause: unknown) => {
    if (cause instanceof GuestImageError && cause.code === 'image.not-found') return undefined;
    throw cause;
  });
}

/** Builds the image even if the cache has one. Errors as for `ensureGuestImage`. */
export async function buildGuestImage(options: GuestImageOptions = {}): Promise<GuestImage> {
  const settings = settingsOf(options);
  await makeFolder(settings.cacheFolder);
  const contents = await recipes[settings.name].make(settings);
  const image = await storeImage(settings.cacheFolder, contents);
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

/** What was made of the same request before; it may be damaged or gone. */
async function requestedDigest(settings: ImageSettings): Promise<string | undefined> {
  const request = requestFile(settings, await requestKey(settings));
  const digest = (await absentAsUndefined(readFile(request, 'utf8')))?.trim();
  return digest !== undefined && isSha256(digest) ? digest : undefined;
}

/**
 * What decides which image is made, known before any package is read: the lock files, what the package folder
 * seems to hold, and all that we put in ourselves.
 */
async function requestKey(settings: ImageSettings): Promise<string> {
  const { ingredients, lockFilesOf } = recipes[settings.name];
  const ours = buildInitramfs({ busybox: new Uint8Array(0), modules: [], programs: buildWorkloads() });
  const locks = await Promise.all(
    lockFilesOf(settings).map(async (path) => (await readLockFile(path)) ?? null),
  );
  const folder = await describeFolder(settings.packageFolder);
  return sha256(ours, JSON.stringify([...ingredients, ...locks, folder]));
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

function requestFile(settings: ImageSettings, key: string): string {
  return join(settings.cacheFolder, 'image-requests', key);
}
