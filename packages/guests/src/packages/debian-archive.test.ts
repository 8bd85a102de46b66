import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, describe, expect, test } from 'vitest';
import { temporaryFolder, writePackage } from '../test-support/fake-packages.ts';
import { decompress, readDebianControl, readDebianFiles } from './debian-archive.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());

const text = (data: Uint8Array | undefined) => Buffer.from(data ?? []).toString('utf8');

describe('readDebianFiles', () => {
  test.each(['gzip', 'xz', 'none'] as const)(
    'reads a package whose data is compressed by %s',
    async (compression) => {
      const path = writePackage(folder.path, {
        name: `data-${compression}`,
        version: '1:2.3-4',
        files: { 'usr/bin/one': '1', 'usr/bin/two': '2' },
        compression,
      });
      const files = await readDebianFiles(path, (file) => file === 'usr/bin/two');
      expect([...files].map(([name, data]) => [name, text(data)])).toEqual([['usr/bin/two', '2']]);
      expect(await readDebianControl(path)).toEqual({
        name: `data-${compression}`,
        version: '1:2.3-4',
        architecture: 'riscv64',
      });
    },
  );

  test('refuses a package that was cut off', async () => {
    const whole = writePackage(folder.path, {
      name: 'whole',
      version: '1',
      files: { data: 'x'.repeat(100_000) },
    });
    const cut = join(folder.path, 'cut.deb');
    writeFileSync(cut, readFileSync(whole).subarray(0, -200));
    await expect(readDebianFiles(cut, () => true)).rejects.toMatchObject({ code: 'image.corrupt' });
  });

  test('refuses what is no package', async () => {
    const path = join(folder.path, 'none.deb');
    writeFileSync(path, 'no package');
    await expect(readDebianControl(path)).rejects.toMatchObject({ code: 'image.corrupt' });
  });
});

describe('decompress', () => {
  // Made by: printf 'a module' | xz --check=crc32 -c | base64 -w0
  const xz = Buffer.from(
    '/Td6WFoAAAFpIt42AgAhARYAAAB0L+WjAQAHYSBtb2R1bGUAW8E4CwABHAhEYCrIkEKZDQEAAAAAAVla',
    'base64',
  );

  test.each([
    ['a.ko', Buffer.from('a module')],
    ['a.ko.gz', gzipSync('a module')],
    ['a.ko.zst', zstdCompressSync('a module')],
    ['a.ko.xz', xz],
  ])('gives the content of %s', async (name, data) => {
    expect(text(await decompress(name, data))).toBe('a module');
  });

  test.each(['a.ko.gz', 'a.ko.zst', 'a.ko.xz'])('refuses garbage that calls itself %s', async (name) => {
    await expect(decompress(name, Buffer.from('garbage'))).rejects.toMatchObject({ code: 'image.corrupt' });
  });
});
