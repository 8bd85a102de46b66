/**
 * Who may import whom (ARCHITECTURE.md, Packages): every import of one of our packages is declared in package.json
 * and allowed by the table below; no relative import leaves its package; ws and msgpackr have one importer; pure
 * folders take no clock and no chance. Reads source text only, so it sees type imports and dynamic imports too.
 */
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');

/** The arrows of the architecture. Tests of a package may import what the package may. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  shared: [],
  transport: ['shared'],
  metrics: ['shared', 'transport'],
  machine: [],
  guests: [],
  network: ['shared'],
  storage: ['metrics', 'shared', 'transport'],
  'host-agent': ['machine', 'metrics', 'network', 'storage', 'transport', 'shared'],
  coordinator: ['metrics', 'shared', 'transport'],
  cli: ['shared', 'transport', 'machine', 'guests', 'network'],
};

/** External packages with one importer. */
const soleImporters: Readonly<Record<string, string>> = {
  ws: 'transport',
  msgpackr: 'transport',
  'prom-client': 'metrics',
};

/** Folders whose code is a function of its arguments: same input, same output. */
const pureFolders = [
  'packages/shared/src',
  'packages/host-agent/src/core',
  'packages/coordinator/src/policy',
  'packages/network/src/forward.ts',
  'packages/storage/src/lease/rules.ts',
];

// A quote before `process.` is an error code, not the global.
const impure =
  /\b(?:Date\.now|Math\.random|performance\.now|setTimeout|setInterval)\b|(?<!['"])\bprocess\.|from '(?:node:|ws)/;

const importPattern = /(?:from\s+|import\s*\(\s*|^import\s+)['"]([^'"]+)['"]/gm;

const complaints: string[] = [];

for (const file of globSync('packages/*/{src,assembly}/**/*.ts', { cwd: root }).sort()) {
  const text = readFileSync(join(root, file), 'utf8');
  const owner = file.split('/')[1] ?? '';
  for (const match of text.matchAll(importPattern)) checkImport(file, owner, match[1] ?? '');
  if (isPure(file)) checkPurity(file, text);
}

for (const [name, others] of Object.entries(allowed)) checkManifest(name, others);

for (const complaint of complaints) console.error(complaint);
console.log(complaints.length === 0 ? 'boundaries hold' : `${complaints.length} boundaries broken`);
process.exitCode = complaints.length === 0 ? 0 : 1;

function checkImport(file: string, owner: string, specifier: string): void {
  if (specifier.startsWith('.')) {
    const target = relative(root, resolve(root, dirname(file), specifier));
    if (!target.startsWith(`packages/${owner}/`))
      complaints.push(`${file}: relative import leaves the package: ${specifier}`);
    return;
  }
  const ours = /^@skein\/([^/]+)/.exec(specifier)?.[1];
  if (ours !== undefined && !(allowed[owner] ?? []).includes(ours)) {
    complaints.push(
      `${file}: ${owner} must not import ${ours} (allowed: ${(allowed[owner] ?? []).join(', ') || 'nothing of ours'})`,
    );
  }
  const sole = soleImporters[specifier];
  if (sole !== undefined && sole !== owner) complaints.push(`${file}: only ${sole} imports ${specifier}`);
}

function isPure(file: string): boolean {
  return (
    !file.endsWith('.test.ts') &&
    pureFolders.some((folder) => file === folder || file.startsWith(`${folder}/`))
  );
}

function checkPurity(file: string, text: string): void {
  text.split('\n').forEach((line, index) => {
    const code = line.replace(/^\s*(?:\*|\/\/|\/\*).*$/, '');
    const found = impure.exec(code);
    if (found !== null) complaints.push(`${file}:${index + 1}: pure code uses ${found[0]}`);
  });
}

function checkManifest(name: string, others: readonly string[]): void {
  const path = `packages/${name}/package.json`;
  const manifest = JSON.parse(readFileSync(join(root, path), 'utf8')) as {
    dependencies?: Record<string, string>;
  };
  for (const dependency of Object.keys(manifest.dependencies ?? {})) {
    const ours = /^@skein\/(.+)$/.exec(dependency)?.[1];
    if (ours !== undefined && !others.includes(ours))
      complaints.push(`${path}: declares ${dependency}, which is not allowed`);
  }
}
