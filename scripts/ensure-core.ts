/**
 * The one build step: AssemblyScript modules to .wasm and worker entries to one bundled .js each.
 * Keyed by a hash of the sources, so that calling it again costs milliseconds; demo, test, bench and the
 * Dockerfile all call it. Workers are bundled because one that must strip types costs 20 MiB and 67 ms,
 * a bundled one 10 MiB and 31 ms (design: A host agent from inside).
 */
import { createHash } from 'node:crypto';
import { existsSync, globSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { bundleOptions, bundleWorker } from './core-build/bundle-worker.ts';
import { compileAssembly, moduleFlags } from './core-build/compile-assembly.ts';

const root = resolve(import.meta.dirname, '..');

interface WasmModule {
  readonly folder: string;
  /** What the module follows from: globs in the folder. */
  readonly sources: readonly string[];
  /** Writes sources that follow from others, before the compiler runs. */
  readonly generate?: () => Promise<void>;
  readonly entry: string;
  readonly output: string;
  readonly flags: readonly string[];
}

const wasmModules: readonly WasmModule[] = [
  {
    folder: 'packages/machine',
    sources: ['assembly/**/*.ts', 'generator/*.ts', 'src/operations/*.ts'],
    generate: async () => {
      const { generateCore } = await import('../packages/machine/generator/generate-core.ts');
      generateCore();
    },
    entry: 'assembly/index.ts',
    output: 'build/core.wasm',
    flags: moduleFlags,
  },
  {
    folder: 'packages/machine',
    sources: ['assembly/page-kernel/*.ts'],
    entry: 'assembly/page-kernel/index.ts',
    output: 'build/page-kernel.wasm',
    flags: moduleFlags,
  },
];

export async function ensureCore({ quiet }: { quiet: boolean }): Promise<void> {
  const say = (line: string): void => {
    if (!quiet) process.stderr.write(`${line}\n`);
  };
  for (const module of wasmModules) await ensureWasm(module, say);
  await ensureWorkerBundles(say);
}

async function ensureWasm(module: WasmModule, say: (line: string) => void): Promise<void> {
  const folder = join(root, module.folder);
  const entry = join(folder, module.entry);
  if (!existsSync(entry)) return;
  const sources = globSync([...module.sources], { cwd: folder })
    .filter(isHandWritten)
    .sort();
  const key = digest([
    toolVersion('assemblyscript'),
    ...module.flags,
    ...sources.flatMap((file) => [file, readFileSync(join(folder, file), 'utf8')]),
  ]);
  const output = join(folder, module.output);
  if (isCurrent(output, key)) return;
  say(`compiling ${module.folder}/${module.entry}`);
  await module.generate?.();
  mkdirSync(dirname(output), { recursive: true });
  const unfinished = `${output}.${process.pid}.wasm`;
  await compileAssembly({ folder, entry: module.entry, output: unfinished, flags: module.flags });
  finish(unfinished, output, key);
}

async function ensureWorkerBundles(say: (line: string) => void): Promise<void> {
  const entries = globSync('packages/*/src/**/*.worker.ts', { cwd: root }).sort();
  if (entries.length === 0) return;
  // A package's manifest says whether what nobody uses of it may be left out.
  const sources = globSync(['packages/*/src/**/*.ts', 'packages/*/package.json'], { cwd: root })
    .filter((file) => !file.endsWith('.test.ts'))
    .sort();
  const key = digest([
    toolVersion('esbuild'),
    JSON.stringify(bundleOptions),
    ...sources.flatMap((file) => [file, readFileSync(join(root, file), 'utf8')]),
  ]);
  for (const entry of entries) {
    const packageFolder = entry.split('/').slice(0, 2).join('/');
    const output = join(root, packageFolder, 'build', `${basename(entry, '.ts')}.js`);
    if (isCurrent(output, key)) continue;
    say(`bundling ${entry}`);
    mkdirSync(dirname(output), { recursive: true });
    const unfinished = `${output}.${process.pid}.js`;
    await bundleWorker(join(root, entry), unfinished);
    finish(unfinished, output, key);
  }
}

/** Generated sources follow from the others, and tests change nothing that is built. */
function isHandWritten(file: string): boolean {
  return !file.includes('/generated/') && !file.endsWith('.test.ts');
}

function isCurrent(output: string, key: string): boolean {
  const stamp = `${output}.stamp`;
  return existsSync(output) && existsSync(stamp) && readFileSync(stamp, 'utf8') === key;
}

/** Renames last, so that a process that runs beside us never reads half a file. */
function finish(unfinished: string, output: string, key: string): void {
  renameSync(unfinished, output);
  writeFileSync(`${output}.stamp`, key);
}

function digest(parts: readonly string[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part).update('\0');
  return hash.digest('hex');
}

function toolVersion(name: string): string {
  const manifest = JSON.parse(readFileSync(join(root, 'node_modules', name, 'package.json'), 'utf8')) as {
    version: string;
  };
  return `${name}@${manifest.version}`;
}

if (import.meta.main) await ensureCore({ quiet: process.argv.includes('--quiet') });
