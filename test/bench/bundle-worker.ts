/**
 * A worker of a bench as one file, as an agent's workers are: what a worker loads is what each garbage collection in it
 * must go through, so an unbundled one would measure another thing.
 */
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { stop } from 'esbuild';
import { bundleWorker } from '../../scripts/core-build/bundle-worker.ts';

const buildFolder = resolve(import.meta.dirname, '../build');

/** Bundles `name`.ts of this folder; returns where the bundle is. */
export async function bundleBenchWorker(name: string): Promise<URL> {
  const outfile = join(buildFolder, `${name}.js`);
  await bundleWorker(join(import.meta.dirname, `${name}.ts`), outfile);
  await stop();
  return pathToFileURL(outfile);
}
