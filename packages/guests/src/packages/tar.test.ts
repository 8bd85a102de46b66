import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { temporaryFolder } from '../test-support/fake-packages.ts';
import { readTar } from './tar.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());

const longPath = `${'a-folder-with-a-long-name/'.repeat(5)}${'file'.repeat(20)}`;
const files: Readonly<Record<string, string>> = {
  'usr/bin/tool': 'tool'.repeat(400),
  'usr/empty': '',
  [longPath]: 'far away',
};
for (const [path, content] of Object.entries(files)) {
  mkdirSync(join(folder.path, path, '..'), { recursive: true });
  writeFileSync(join(folder.path, path), content);
}

/** Made by the machine's own tar, which is the format's reference. */
function archive(format: 'gnu' | 'pax' | 'ustar', names: readonly string[] = ['.']): Buffer {
  return execFileSync('tar', ['--create', `--format=${format}`, '--directory', folder.path, ...names]);
}

async function* inChunks(data: Uint8Array, sizes: readonly number[] = [4096]): AsyncGenerator<Uint8Array> {
  for (let offset = 0, index = 0; offset < data.length; index++) {
    const size = sizes[index % sizes.length] ?? 1;
    yield data.subarray(offset, offset + size);
    offset += size;
  }
}

async function contents(source: AsyncIterable<Uint8Array>, select = (_path: string) => true) {
  const found: Record<string, string> = {};
  for await (const file of readTar(source, select, 1024 * 1024)) {
    found[file.path] = Buffer.from(file.data).toString('utf8');
  }
  return found;
}

describe('readTar', () => {
  test.each(['gnu', 'pax', 'ustar'] as const)('reads %s archives with long names', async (format) => {
    expect(await contents(inChunks(archive(format)))).toEqual(files);
  });

  test('yields only what is selected', async () => {
    expect(await contents(inChunks(archive('gnu')), (path) => path === 'usr/bin/tool')).toEqual({
      'usr/bin/tool': files['usr/bin/tool'],
    });
  });

  test('reads the same whatever the chunks it comes in', async () => {
    const data = archive('gnu');
    const sizes = fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(sizes, async (chunkSizes) => {
        expect(await contents(inChunks(data, chunkSizes))).toEqual(files);
      }),
      { numRuns: 20 },
    );
  });

  test('refuses an archive that ends in the middle', async () => {
    const data = archive('gnu', ['usr/bin/tool']);
    await expect(contents(inChunks(data.subarray(0, 1000)))).rejects.toMatchObject({ code: 'image.corrupt' });
  });

  test('refuses a header in which a bit was flipped', async () => {
    const data = archive('gnu', ['usr/bin/tool']);
    data[2] = (data[2] ?? 0) ^ 1;
    await expect(contents(inChunks(data))).rejects.toMatchObject({ code: 'image.corrupt' });
  });

  test('refuses a selected file that claims to be too large, before it reads it', async () => {
    const reading = (async () => {
      for await (const _ of readTar(inChunks(archive('gnu', ['usr/bin/tool'])), () => true, 100));
    })();
    await expect(reading).rejects.toMatchObject({ code: 'image.corrupt' });
  });
});
