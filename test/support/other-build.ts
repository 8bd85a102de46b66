/** Our programs as another build has them: with messages of another protocol version, or another version of the machine. */
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');

export interface OtherBuild {
  readonly root: string;
  remove(): void;
}

export interface Versions {
  readonly protocol?: number;
  readonly machine?: number;
}

/** A copy of the packages in which the lines that name the versions say others. */
export function otherBuild({ protocol, machine }: Versions): OtherBuild {
  const copy = mkdtempSync(join(tmpdir(), 'skein-other-build-'));
  cpSync(join(root, 'packages'), join(copy, 'packages'), { recursive: true, verbatimSymlinks: true });
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  if (protocol !== undefined) {
    const versions = `{ min: ${protocol}, max: ${protocol} }`;
    change(copy, 'packages/shared/src/protocol/version.ts', /\{ min: \d+, max: \d+ \}/, versions);
  }
  if (machine !== undefined)
    change(copy, 'packages/machine/src/machine-version.ts', /Version = \d+;/, `Version = ${machine};`);
  return { root: copy, remove: () => rmSync(copy, { recursive: true, force: true }) };
}

function change(copy: string, path: string, before: RegExp, after: string): void {
  const file = join(copy, path);
  const text = readFileSync(file, 'utf8');
  const changed = text.replace(before, after);
  if (changed === text) throw new Error(`${path} names no versions`);
  writeFileSync(file, changed);
}
