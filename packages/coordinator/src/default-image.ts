/** The guest image that a VM gets when none is named: the newest in the folder that all hosts have alike. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ContentDigest, OperationError } from '@skein/shared';

/** @throws OperationError image.not-found */
export async function findDefaultImage(imageDirectory: string): Promise<ContentDigest> {
  const names = await readdir(imageDirectory).catch(() => []);
  const images: { readonly digest: ContentDigest; readonly madeAtMs: number }[] = [];
  for (const name of names) {
    const digest = ContentDigest.safeParse(name);
    const manifest = await stat(join(imageDirectory, name, 'manifest.json')).catch(() => null);
    if (digest.success && manifest !== null) images.push({ digest: digest.data, madeAtMs: manifest.mtimeMs });
  }
  const [newest] = images.sort((a, b) => b.madeAtMs - a.madeAtMs);
  if (newest !== undefined) return newest.digest;
  throw new OperationError({
    code: 'image.not-found',
    message: `there is no guest image in ${imageDirectory}; build one with: skein image build`,
  });
}
