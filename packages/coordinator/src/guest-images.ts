/**
 * The guest images that all hosts have alike, as far as the coordinator needs to know them: which is the newest, for VMs
 * that name none, and in how little memory each boots. Read synchronously: requests are checked and carried out in one
 * go, and a manifest is a small file that never changes.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ContentDigest, OperationError } from '@skein/shared';
import { z } from 'zod';

/** The part of a manifest that the coordinator needs. */
const Manifest = z.object({ memoryMibMin: z.int().min(0).optional() });

export class GuestImages {
  readonly #directory: string | null;
  readonly #memoryMibMin = new Map<ContentDigest, number | null>();

  /** Without a directory nothing is known of any image. */
  constructor(directory: string | null) {
    this.#directory = directory;
  }

  /** @throws OperationError request.invalid, image.not-found */
  newest(): ContentDigest {
    if (this.#directory === null) {
      const message =
        'name an image: this coordinator has no default one (imageDirectory in its configuration)';
      throw new OperationError({ code: 'request.invalid', message });
    }
    const images = digestsIn(this.#directory).flatMap((digest) => {
      const madeAtMs = manifestTimeMs(this.#manifestOf(digest));
      return madeAtMs === null ? [] : [{ digest, madeAtMs }];
    });
    const [newest] = images.sort((a, b) => b.madeAtMs - a.madeAtMs);
    if (newest !== undefined) return newest.digest;
    throw new OperationError({
      code: 'image.not-found',
      message: `there is no guest image in ${this.#directory}; build one with: skein image build`,
    });
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

/** Null if there is none that can be read: the host that boots from it tells what is wrong with it. */
function readManifest(path: string): z.infer<typeof Manifest> | null {
  try {
    return Manifest.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch {
    return null;
  }
}
