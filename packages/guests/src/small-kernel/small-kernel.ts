/**
 * The small kernel, compiled once for each source, configuration and compiler and kept by them: a folder with `Image`,
 * `config` (all that was configured) and `kernel.json` (what it was made of). It is whole or absent; of a build that was
 * interrupted the log alone is left.
 */
import { readFileSync } from 'node:fs';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  absentAsUndefined,
  putInPlace,
  removeLeftovers,
  temporarySuffix,
  writeFileAtomically,
} from '../cache-folder.ts';
import { sha256 } from '../digest.ts';
import { requireBootImage } from '../kernel.ts';
import type { PackageIdentity } from '../packages/package.ts';
import { buildVariables, type CompiledKernel, compileKernel } from './compile.ts';
import { describeToolchain } from './toolchain.ts';

export interface SmallKernel {
  /** As `uname -r` says. */
  readonly version: string;
  readonly image: Uint8Array;
}

export interface SmallKernelOptions {
  readonly cacheFolder: string;
  readonly source: PackageIdentity & { readonly path: string };
  readonly onProgress: (phase: string, done: number, total: number, unit?: 'files') => void;
  readonly warn: (message: string) => void;
  readonly signal: AbortSignal | undefined;
}

interface KernelRecord {
  readonly version: string;
  readonly sha256: string;
  readonly source: PackageIdentity;
  readonly configSha256: string;
  readonly toolchain: string;
}

/** The configuration of this checkout: what stands on top of `make tinyconfig`. */
export const fragment = readFileSync(new URL('small-kernel.config', import.meta.url), 'utf8');

/**
 * From the cache, verified, or compiled, which takes minutes.
 * @throws GuestImageError image.toolchain-missing, image.build-failed, image.unavailable; the signal's reason
 */
export async function ensureSmallKernel(options: SmallKernelOptions): Promise<SmallKernel> {
  const toolchain = await describeToolchain();
  const kernels = join(options.cacheFolder, 'kernels');
  const key = kernelKey(options.source.sha256, fragment, toolchain);
  const folder = join(kernels, key);
  const cached = await readKept(folder, options.warn);
  if (cached !== undefined) return cached;
  await removeLeftovers(kernels);
  const work = join(kernels, `${key}.${temporarySuffix()}`);
  try {
    await mkdir(work, { recursive: true });
    const logPath = join(kernels, `${key}.log`);
    await rm(logPath, { force: true });
    const kernel = await compileKernel({
      sourcePath: options.source.path,
      config: fragment,
      folder: join(work, 'build'),
      logPath,
      onProgress: (phase, files) => options.onProgress(`small kernel: ${phase}`, files, 0, 'files'),
      signal: options.signal,
    });
    requireBootImage(join(work, 'Image'), kernel.image);
    await rm(join(work, 'build'), { recursive: true });
    const { name, version, sha256: digest } = options.source;
    const source = { name, version, sha256: digest };
    await keep(work, folder, kernel, { source, configSha256: sha256(fragment), toolchain });
    await rm(logPath, { force: true });
    return kernel;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** What decides which bytes come out. */
export function kernelKey(sourceSha256: string, config: string, toolchain: string): string {
  return sha256(JSON.stringify([sourceSha256, sha256(config), toolchain, buildVariables]));
}

async function keep(
  work: string,
  folder: string,
  { version, image, fullConfig }: CompiledKernel,
  origin: Omit<KernelRecord, 'version' | 'sha256'>,
): Promise<void> {
  const record: KernelRecord = { version, sha256: sha256(image), ...origin };
  await writeFileAtomically(join(work, 'Image'), image);
  await writeFileAtomically(join(work, 'config'), fullConfig);
  await writeFileAtomically(join(work, 'kernel.json'), `${JSON.stringify(record, null, 2)}\n`);
  await putInPlace(work, folder, async () => (await readKept(folder, () => undefined)) !== undefined);
}

/** Undefined if there is none, or a damaged one. */
async function readKept(folder: string, warn: (message: string) => void): Promise<SmallKernel | undefined> {
  const text = await absentAsUndefined(readFile(join(folder, 'kernel.json'), 'utf8'));
  if (text === undefined) return undefined;
  const record = parseRecord(text);
  const image = await absentAsUndefined(readFile(join(folder, 'Image')));
  if (record !== undefined && image !== undefined && sha256(image) === record.sha256)
    return { version: record.version, image };
  warn(`the small kernel in ${folder} is damaged; it is compiled anew`);
  return undefined;
}

function parseRecord(text: string): Pick<KernelRecord, 'version' | 'sha256'> | undefined {
  try {
    const { version, sha256: digest } = JSON.parse(text) as Partial<KernelRecord>;
    return typeof version === 'string' && typeof digest === 'string'
      ? { version, sha256: digest }
      : undefined;
  } catch {
    return undefined;
  }
}
