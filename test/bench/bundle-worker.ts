/**
 * A worker entry as one file of JavaScript, as an agent's workers are (scripts/ensure-core.ts): what a worker loads is
 * what each garbage collection in it must go through, so an unbundled one would measure another thing.
 */
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build, stop } from 'esbuild';

const buildFolder = resolve(import.meta.dirname, '../build');

/** Bundles `name`.ts of this folder; returns where the bundle is. */
export async function bundleWorker(name: string): Promise<URL> {
  const outfile = join(buildFolder, `${name}.js`);
  await build({
    entryPoints: [join(import.meta.dirname, `${name}.ts`)],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    // CommonJS dependencies (ws, pino) call require for node's own modules.
    banner: {
      js: "import { createRequire as skeinRequire } from 'node:module'; const require = skeinRequire(import.meta.url);",
    },
    external: ['msgpackr-extract', 'bufferutil', 'utf-8-validate'],
    logLevel: 'error',
  });
  await stop();
  return pathToFileURL(outfile);
}
