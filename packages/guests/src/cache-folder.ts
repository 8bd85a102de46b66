/**
 * Where what was fetched and built is kept between runs, and how a file gets there: under a name of its own first,
 * then renamed, so that another process sees all of it or nothing.
 * Source: XDG Base Directory Specification.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { GuestImageError } from './guest-image-error.ts';

/** `$SKEIN_CACHE`, else `$XDG_CACHE_HOME/skein`, else `~/.cache/skein`; an empty variable counts as unset. */
export function defaultCacheFolder(environment: NodeJS.ProcessEnv = process.env): string {
  const own = environment.SKEIN_CACHE;
  if (own !== undefined && own !== '') return own;
  const xdg = environment.XDG_CACHE_HOME;
  if (xdg !== undefined && xdg !== '') return join(xdg, 'skein');
  return join(homedir(), '.cache', 'skein');
}

/** @throws GuestImageError image.unavailable when the folder is not there and cannot be made */
export async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true });
  } catch (cause) {
    throw new GuestImageError(
      'image.unavailable',
      `the cache folder ${path} cannot be made: ${reasonOf(cause)}`,
      {
        cause,
      },
    );
  }
}

/** Writes a file so that it is seen whole or not at all; makes the folders above it. */
export async function writeFileAtomically(path: string, data: string | Uint8Array): Promise<void> {
  const temporary = `${path}.${temporarySuffix()}`;
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(temporary, data, { flush: true });
    await rename(temporary, path);
  } catch (cause) {
    // What hindered the writing may hinder this as well; the first reason is the one to tell.
    await rm(temporary, { force: true }).catch(() => undefined);
    throw new GuestImageError('image.unavailable', `${path} cannot be written: ${reasonOf(cause)}`, {
      cause,
    });
  }
}

/** Moves a finished folder to its place. One that is there already is equal or damaged; only a damaged one is replaced. */
export async function putInPlace(
  temporary: string,
  folder: string,
  isSound: () => Promise<boolean>,
): Promise<void> {
  try {
    await rename(temporary, folder);
    return;
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw cause;
  }
  if (await isSound()) return;
  await rm(folder, { recursive: true, force: true });
  await rename(temporary, folder);
}

/** Unique among the processes that share the cache. */
export function temporarySuffix(): string {
  return `${randomBytes(6).toString('hex')}.partial`;
}

/** Long after any process that could still be writing it. */
const leftoverAgeMs = 24 * 3600 * 1000;

/** Removes what killed processes left half-written in a folder of the cache. */
export async function removeLeftovers(folder: string): Promise<void> {
  for (const name of (await absentAsUndefined(readdir(folder))) ?? []) {
    if (!name.endsWith('.partial')) continue;
    const path = join(folder, name);
    const status = await absentAsUndefined(stat(path));
    if (status !== undefined && Date.now() - status.mtimeMs > leftoverAgeMs) {
      await rm(path, { recursive: true, force: true });
    }
  }
}

export function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

/** The value, or undefined when there is no such file. Other failures are passed on. */
export async function absentAsUndefined<T>(action: Promise<T>): Promise<T | undefined> {
  try {
    return await action;
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw cause;
  }
}
