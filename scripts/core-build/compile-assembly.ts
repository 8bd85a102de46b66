/** AssemblyScript to WebAssembly, as the machine's modules are compiled; benches compile variants of the core alike. */
import { execFile } from 'node:child_process';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

const compiler = join(resolve(import.meta.dirname, '../..'), 'node_modules/assemblyscript/bin/asc.js');
const run = promisify(execFile);

/**
 * One shared memory of at most 4 GiB, vector instructions for hashes and zero tests. V8 counts memory that is not shared as used
 * heap, whatever of it was ever touched, and collects garbage for it.
 */
export const moduleFlags: readonly string[] = [
  ...['-O3', '--noAssert', '--runtime', 'stub', '--use', 'abort='],
  ...['--importMemory', '--sharedMemory', '--initialMemory', '1', '--maximumMemory', '65536'],
  ...['--enable', 'threads', '--enable', 'simd'],
];

export interface AssemblyOptions {
  /** Where the compiler stands: entry and output are relative to it. */
  readonly folder: string;
  readonly entry: string;
  readonly output: string;
  readonly flags: readonly string[];
}

/** @throws Error with what the compiler says */
export async function compileAssembly({ folder, entry, output, flags }: AssemblyOptions): Promise<void> {
  const args = [compiler, entry, ...flags, '--outFile', output];
  await run(process.execPath, args, { cwd: folder }).catch((cause: { stderr?: string; stdout?: string }) => {
    throw new Error(`AssemblyScript refuses ${entry}:\n${cause.stderr ?? ''}${cause.stdout ?? ''}`);
  });
}
