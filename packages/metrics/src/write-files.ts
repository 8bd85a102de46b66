/** `pnpm metrics`: writes what is made from the catalogue. A test fails while it is stale. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { generatedFiles } from './presentation/files.ts';

const root = resolve(import.meta.dirname, '../../..');

for (const [path, text] of generatedFiles()) {
  await mkdir(dirname(resolve(root, path)), { recursive: true });
  await writeFile(resolve(root, path), text);
  console.log(path);
}
