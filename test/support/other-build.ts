/** Our programs as another build has them, whose messages are of another protocol version. */
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');
const versionFile = 'packages/shared/src/protocol/version.ts';

export interface OtherBuild {
  readonly root: string;
  remove(): void;
}

/** A copy of the packages in which the one line that names the versions says another one. */
export function otherBuild(version: number): OtherBuild {
  const copy = mkdtempSync(join(tmpdir(), 'skein-other-build-'));
  cpSync(join(root, 'packages'), join(copy, 'packages'), { recursive: true, verbatimSymlinks: true });
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  const file = join(copy, versionFile);
  const text = readFileSync(file, 'utf8');
  const changed = text.replace(/\{ min: \d+, max: \d+ \}/, `{ min: ${version}, max: ${version} }`);
  if (changed === text) throw new Error(`${versionFile} names no versions`);
  writeFileSync(file, changed);
  return { root: copy, remove: () => rmSync(copy, { recursive: true, force: true }) };
}
