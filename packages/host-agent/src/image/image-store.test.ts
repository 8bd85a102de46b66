import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ImageStore } from './image-store.ts';

const digest = 'a'.repeat(64);
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'skein-images-'));
  mkdirSync(join(folder, digest));
  put('kernel', 'the kernel');
  put('initrd', 'the initramfs');
  put('manifest.json', JSON.stringify(manifest));
});
afterEach(() => rmSync(folder, { recursive: true }));

const manifest = {
  formatVersion: 1,
  kernelSha256: sha256('the kernel'),
  initrdSha256: sha256('the initramfs'),
  kernelVersion: '7.2',
  defaultBootArguments: 'console=ttyS0',
  packages: [],
};

function put(file: string, text: string): void {
  writeFileSync(join(folder, digest, file), text);
}

describe('images on a host', () => {
  it('are loaded with their kernel, initramfs and boot arguments', async () => {
    const image = await new ImageStore(folder).load(digest);
    expect(Buffer.from(image.kernel).toString()).toBe('the kernel');
    expect(Buffer.from(image.initrd).toString()).toBe('the initramfs');
    expect(image.defaultBootArguments).toBe('console=ttyS0');
  });

  it('are named with the way to get them when they are missing', async () => {
    const missing = new ImageStore(folder).load('b'.repeat(64));
    await expect(missing).rejects.toMatchObject({
      code: 'image.not-found',
      message: expect.stringContaining('skein image build'),
    });
  });

  it.each([
    ['a kernel with one byte changed', () => put('kernel', 'the Kernel')],
    ['an initramfs cut short', () => put('initrd', 'the initram')],
    ['a missing initramfs', () => rmSync(join(folder, digest, 'initrd'))],
    ['a manifest that is not JSON', () => put('manifest.json', '{')],
    [
      'a manifest of a later format',
      () => put('manifest.json', JSON.stringify({ ...manifest, formatVersion: 2 })),
    ],
  ])('are refused with %s, and loaded once it is mended', async (_, damage) => {
    const store = new ImageStore(folder);
    damage();
    await expect(store.load(digest)).rejects.toMatchObject({ code: 'image.corrupt' });
    put('kernel', 'the kernel');
    put('initrd', 'the initramfs');
    put('manifest.json', JSON.stringify(manifest));
    await expect(store.load(digest)).resolves.toMatchObject({ kernelVersion: '7.2' });
  });
});
