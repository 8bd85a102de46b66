/** Cores without one layer, compiled for measurements beside the machine's own. */
import { mkdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type CoreModules, loadCore } from '@skein/machine';
import type { CoreVariant } from '../../../packages/machine/generator/core-variant.ts';
import { generateCoreVariant } from '../../../packages/machine/generator/generate-core.ts';
import { compileAssembly, moduleFlags } from '../../../scripts/core-build/compile-assembly.ts';

const buildFolder = resolve(import.meta.dirname, '../../build/core-variants');

/** Generates and compiles the variant; takes some ten seconds. */
export async function buildCoreVariant(name: string, variant: CoreVariant): Promise<CoreModules> {
  const folder = join(buildFolder, name);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  generateCoreVariant(folder, variant);
  await compileAssembly({ folder, entry: 'index.ts', output: 'core.wasm', flags: moduleFlags });
  return await loadCore(pathToFileURL(join(folder, 'core.wasm')));
}
