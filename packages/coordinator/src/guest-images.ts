/**
 * The guest images that all hosts have alike, as far as the coordinator needs to know them: which is the newest of each
 * name, and in how little memory each boots. Read synchronously: requests are checked and carried out in one
 * go, and a manifest is a small file that never changes.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ContentDigest, GuestImageName, type ImageReference, OperationError } from '@skein/shared';
import { z } from 'zod';

/** The part of a manifest that the coordinator needs. */
const Manifest = z.object({
  memoryMibMin: z.int().min(0).optional(),
  /** Absent in those with Debian's kernel. */
  name: GuestImageName.optional(),
});

export class GuestImages {
  readonly #directory: string | null;
  readonly #memoryMibMin = new Map<ContentDigest, number | null>();

  /** Without a directory nothing is known of any image. */
  constructor(directory: string | null) {
    this.#directory = directory;
  }

  /**
   * The digest that is meant: of a name the newest image's, of none that of Debian's.
   * @throws OperationError request.invalid, image.not-found
   */
  resolve(image: ImageReference = 'debian'): ContentDigest {
    const name = GuestImageName.safeParse(image);
    return name.success ? this.#newest(name.data) : image;
  }

  /** One that cannot be read counts as Debian's: the host that boots from it tells what is wrong with it. */
  nameOf(digest: ContentDigest): GuestImageName {
    return readManifest(this.#manifestOf(digest))?.name ?? 'debian';
  }

  /** In how little memory it boots; null: not known here. */
  memoryMibMin(digest: ContentDigest): number | null {
    const known = this.#memoryMibMin.get(digest);
    if (known !== undefined) return known;
    const manifest = this.#directory === null ? null : readManifest(this.#manifestOf(digest));
    if (manifest === null) return null;
    const memoryMibMin = manifest.memoryMibMin ?? null;
    this.#memoryMibMin.set(digest, memoryMibMin);
    return memoryMibMin;
  }

  #newest(name: GuestImageName): ContentDigest {
    if (this.#directory === null) {
      const message =
        'name an image by its digest: this coordinator knows none itself (imageDirectory in its configuration)';
      throw new OperationError({ code: 'request.invalid', message });
    }
    const images = digestsIn(this.#directory).flatMap((digest) => {
      const madeAtMs = manifestTimeMs(this.#manifestOf(digest));
      return madeAtMs === null || this.nameOf(digest) !== name ? [] : [{ digest, madeAtMs }];
    });
    const [newest] = images.sort((a, b) => b.madeAtMs - a.madeAtMs);
    if (newest !== undefined) return newest.digest;
    throw new OperationError({
      code: 'image.not-found',
      message: `there is no guest image ${name} in ${this.#directory}; build one with: skein image build ${name}`,
    });
  }

  #manifestOf(digest: ContentDigest): string {
    return join(this.#directory ?? '', digest, 'manifest.json');
  }
}

function digestsIn(directory: string): ContentDigest[] {
  try {
    return readdirSync(directory).filter((name) => ContentDigest.safeParse(name).success);
  } catch {
    return [];
  }
}

function manifestTimeMs(path: string): number | null {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? null;
}

/** Null if there is none that can be read. */
function readManifest(path: string): z.infer<typeof Manifest> | null {
  try {
    return Manifest.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch {
    return null;
  }
}
