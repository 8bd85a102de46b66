import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ensureGuestImage } from '@skein/guests';
import { expect, it } from 'vitest';

const example = join(import.meta.dirname, 'machine-alone.ts');

it('the example of the guide is what the guide shows, and comes to the same state each time', async () => {
  await ensureGuestImage({});
  const guide = readFileSync(join(import.meta.dirname, '../../docs/guide/machine.md'), 'utf8');
  const [, ...lines] = readFileSync(example, 'utf8').split('\n');
  expect(guide).toContain(lines.join('\n').trim());
  const [first, second] = [1, 2].map(() => execFileSync(process.execPath, [example], { encoding: 'utf8' }));
  expect(first).toMatch(/^sum 42\r$/m);
  expect(first).toMatch(/^\d+ steps, snapshot of \d+ bytes, state [0-9a-f]+$/m);
  expect(second).toBe(first);
}, 120_000);
