/**
 * Which guest images a cluster file's VMs boot from, by name, so that they can be made before there is a cluster. What is wrong
 * with the file is the coordinator's to say, by line and column: nobody shall wait for a compilation to hear that.
 */
import { readFile } from 'node:fs/promises';
import { ensureGuestImage, GuestImageError, type GuestImageName, isGuestImageName } from '@skein/guests';
import { ClusterFile } from '@skein/shared';
import { parseDocument } from 'yaml';
import { makeImage } from '../command/guest-image.ts';

/** The one that may lack a compiler first. Nothing where the text is no cluster file, or names images by digests alone. */
export function imagesNamedIn(text: string): readonly GuestImageName[] {
  const document = parseDocument(text, { prettyErrors: false });
  if (document.errors.length > 0) return [];
  const file = ClusterFile.safeParse(document.toJS() ?? {});
  if (!file.success) return [];
  const named = file.data.vms.map(({ image = 'debian' }) => image).filter(isGuestImageName);
  return [...new Set(named)].sort((a, b) => Number(b === 'small') - Number(a === 'small'));
}

/**
 * Makes those that the cache lacks; the small kernel's takes minutes, once.
 * @throws GuestImageError image.toolchain-missing before anything is made; Interrupted
 */
export async function makeDeclaredImages(file: string): Promise<void> {
  const text = await readFile(file, 'utf8').catch(() => '');
  for (const name of imagesNamedIn(text)) {
    try {
      await makeImage(ensureGuestImage, { name });
    } catch (cause) {
      if (!(cause instanceof GuestImageError)) throw cause;
      const message = `guests of ${file} have the image ${name}: ${cause.message}`;
      throw new GuestImageError(cause.code, message, { cause });
    }
  }
}
