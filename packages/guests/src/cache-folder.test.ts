import { existsSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { removeLeftovers, writeFileAtomically } from './cache-folder.ts';
import { temporaryFolder } from './test-support/fake-packages.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());

describe('writeFileAtomically', () => {
  test('makes the folders above a file, replaces what was there and leaves nothing else', async () => {
    const path = join(folder.path, 'a/b/file');
    await writeFileAtomically(path, 'old');
    await writeFileAtomically(path, 'new');
    expect(readFileSync(path, 'utf8')).toBe('new');
    expect(readdirSync(join(folder.path, 'a/b'))).toEqual(['file']);
  });

  test('says which file could not be written', async () => {
    const path = join(folder.path, 'a-file');
    writeFileSync(path, '');
    await expect(writeFileAtomically(join(path, 'below'), '')).rejects.toMatchObject({
      code: 'image.unavailable',
      message: expect.stringContaining(`${path}/below cannot be written`),
    });
  });
});

describe('removeLeftovers', () => {
  test('removes what is half-written and old, and only that', async () => {
    const cache = join(folder.path, 'cache');
    for (const name of ['old.partial', 'new.partial', 'old'])
      mkdirSync(join(cache, name), { recursive: true });
    for (const name of ['old.partial', 'old']) utimesSync(join(cache, name), 0, 0);
    await removeLeftovers(cache);
    expect(readdirSync(cache).sort()).toEqual(['new.partial', 'old']);
    await removeLeftovers(join(cache, 'absent'));
    expect(existsSync(join(cache, 'absent'))).toBe(false);
  });
});
