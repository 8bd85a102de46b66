/** How the contents of an image come about: one recipe for each name. */
import { GuestImageError } from '../guest-image-error.ts';
import type { ImageSettings } from '../image-settings.ts';
import type { ImageContents } from '../image-store.ts';
import { readDebianFiles } from '../packages/debian-archive.ts';
import { busyboxPackage, type LocalPackage } from '../packages/package.ts';

export interface Recipe {
  /** What decides about the contents beside packages and our own scripts, as values that JSON can write. */
  readonly ingredients: readonly unknown[];
  /** The files that name its packages; where one is not there, the archive's present packages are taken. */
  readonly lockFilesOf: (settings: ImageSettings) => readonly string[];
  /**
   * Obtains and compiles what is needed; updates its lock file if that is asked for.
   * @throws GuestImageError
   */
  readonly make: (settings: ImageSettings) => Promise<ImageContents>;
}

const busyboxPath = /^(?:usr\/)?bin\/busybox$/;

/** @throws GuestImageError image.corrupt */
export async function readBusybox(packages: readonly LocalPackage[]): Promise<Uint8Array> {
  const found = packages.find(({ name }) => name === busyboxPackage);
  const files =
    found === undefined ? undefined : await readDebianFiles(found.path, (path) => busyboxPath.test(path));
  const busybox = files?.values().next().value;
  if (busybox === undefined) {
    throw new GuestImageError('image.corrupt', `the package ${busyboxPackage} holds no bin/busybox`);
  }
  return busybox;
}

export function sortedByName<P extends { readonly name: string }>(packages: readonly P[]): P[] {
  return [...packages].sort((a, b) => (a.name < b.name ? -1 : 1));
}
