/**
 * Guest images on this host, addressed by the digest of their manifest: `<directory>/<digest>/manifest.json`
 * beside `kernel` and `initrd`. Every file is hashed before a machine boots from it.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ContentDigest, ContentDigest as ContentDigestSchema, OperationError } from '@skein/shared';
import { z } from 'zod';

/** The part of an image's manifest that a host needs; the image's builder keeps more in it. */
const ImageManifest = z.object({
  formatVersion: z.literal(1),
  kernelSha256: ContentDigestSchema,
  initrdSha256: ContentDigestSchema,
  kernelVersion: z.string().max(200),
  defaultBootArguments: z.string().max(2048),
  /** The virtio port from which its guests read who they are; absent: they read their kernel's command line. */
  identityPort: z.string().max(64).optional(),
});
type ImageManifest = z.infer<typeof ImageManifest>;

export interface LoadedImage {
  readonly kernel: Uint8Array;
  readonly initrd: Uint8Array;
  readonly kernelVersion: string;
  readonly defaultBootArguments: string;
}

export class ImageStore {
  readonly #directory: string;
  /** The last images loaded: three guests of one image read it once. */
  readonly #loaded = new Map<ContentDigest, Promise<LoadedImage>>();

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** What the manifest says; the files beside it are not looked at. @throws OperationError image.not-found, image.corrupt */
  async describe(digest: ContentDigest): Promise<ImageManifest> {
    const path = join(this.#directory, digest, 'manifest.json');
    const text = await readFile(path, 'utf8').catch((cause: unknown) => {
      throw new OperationError({
        code: 'image.not-found',
        message: `this host has no image ${digest} in ${this.#directory}; build it with: skein image build (the small one: skein image build small)`,
        cause,
      });
    });
    const parsed = ImageManifest.safeParse(parseJson(text));
    if (parsed.success) return parsed.data;
    throw corrupt(path, z.prettifyError(parsed.error));
  }

  /** @throws OperationError image.not-found, image.corrupt */
  load(digest: ContentDigest): Promise<LoadedImage> {
    const known = this.#loaded.get(digest);
    if (known !== undefined) return known;
    const loading = this.#read(digest);
    this.#loaded.clear();
    this.#loaded.set(digest, loading);
    loading.catch(() => this.#loaded.delete(digest));
    return loading;
  }

  async #read(digest: ContentDigest): Promise<LoadedImage> {
    const folder = join(this.#directory, digest);
    const manifest = await this.describe(digest);
    const [kernel, initrd] = await Promise.all([
      readVerified(join(folder, 'kernel'), manifest.kernelSha256),
      readVerified(join(folder, 'initrd'), manifest.initrdSha256),
    ]);
    return {
      kernel,
      initrd,
      kernelVersion: manifest.kernelVersion,
      defaultBootArguments: manifest.defaultBootArguments,
    };
  }
}

async function readVerified(path: string, sha256: string): Promise<Uint8Array> {
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw corrupt(path, cause instanceof Error ? cause.message : String(cause));
  });
  if (createHash('sha256').update(bytes).digest('hex') !== sha256)
    throw corrupt(path, 'its SHA-256 is not the one in the manifest');
  return bytes;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function corrupt(path: string, reason: string): OperationError {
  return new OperationError({
    code: 'image.corrupt',
    message: `the guest image is damaged: ${path}: ${reason}; build it again with: skein image build (the small one: skein image build small)`,
  });
}
