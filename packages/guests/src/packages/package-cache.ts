/**
 * Packages that were fetched before, each in a file named after its content. A file whose content does not match
 * its name is removed, so that it is fetched anew.
 */
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { absentAsUndefined } from '../cache-folder.ts';
import { sha256OfFile } from '../digest.ts';

export class PackageCache {
  readonly folder: string;
  readonly #warn: (message: string) => void;

  /** @param cacheFolder the cache's root; packages have a folder of their own in it */
  constructor(cacheFolder: string, warn: (message: string) => void) {
    this.folder = join(cacheFolder, 'packages');
    this.#warn = warn;
  }

  /** The verified file with this content, or undefined when it has to be fetched. */
  async find(sha256: string): Promise<string | undefined> {
    const path = this.#pathOf(sha256);
    const actual = await absentAsUndefined(sha256OfFile(path));
    if (actual === undefined) return undefined;
    if (actual === sha256) return path;
    this.#warn(`${path} is damaged and was removed; it is fetched anew`);
    await rm(path, { force: true });
    return undefined;
  }

  /** Moves a file, verified by the caller and on the same file system, into the cache. */
  async take(file: string, sha256: string): Promise<string> {
    const path = this.#pathOf(sha256);
    await mkdir(this.folder, { recursive: true });
    await rename(file, path);
    return path;
  }

  #pathOf(sha256: string): string {
    return join(this.folder, `${sha256}.deb`);
  }
}
