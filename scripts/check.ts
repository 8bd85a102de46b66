/**
 * `pnpm check`: everything that must hold and needs no cluster, in under a minute. Each step prints one line. `--static`: but the
 * unit tests, for whoever runs all tests anyway.
 */
import { spawnSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import { ensureCore } from './ensure-core.ts';

const root = resolve(import.meta.dirname, '..');
const bin = (name: string): string => join(root, 'node_modules/.bin', name);

const isStatic = process.argv.includes('--static');
const steps: readonly { name: string; command: string; args: readonly string[] }[] = [
  { name: 'types', command: bin('tsc'), args: ['-b'] },
  { name: 'lint and format', command: bin('biome'), args: ['check', '--error-on-warnings', '.'] },
  { name: 'boundaries', command: process.execPath, args: ['scripts/check-boundaries.ts'] },
  ...(isStatic ? [] : [{ name: 'unit tests', command: bin('vitest'), args: ['run', '--project', 'unit'] }]),
];

await ensureCore({ quiet: true });
const failed: string[] = [];
for (const step of steps) {
  const started = performance.now();
  const result = spawnSync(step.command, step.args, { cwd: root, encoding: 'utf8', maxBuffer: 64 << 20 });
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const ok = result.status === 0;
  console.log(`${ok ? 'ok    ' : 'FAILED'} ${step.name} (${seconds} s)`);
  if (!ok) {
    failed.push(step.name);
    console.log(`${result.stdout}${result.stderr}`);
  }
}
if (failed.length > 0) {
  console.log(`pnpm check: failed: ${failed.join(', ')}`);
  process.exitCode = 1;
}
