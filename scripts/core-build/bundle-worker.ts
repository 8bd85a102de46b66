/**
 * A worker entry as one file of JavaScript. Each thread of a VM has a bundle of its own in memory: what it does not use
 * is not in it, and no source map.
 */
import type { BuildOptions } from 'esbuild';

export const bundleOptions: BuildOptions = {
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
};

/** Bundles a worker's entry with all it imports. esbuild is loaded only when there is something to bundle. */
export async function bundleWorker(entry: string, outfile: string): Promise<void> {
  const { build } = await import('esbuild');
  await build({ ...bundleOptions, entryPoints: [entry], outfile });
}
