import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { GuestImages } from './guest-images.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'skein-images-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function put(digest: string, manifest: string, madeAtS: number): void {
  mkdirSync(join(folder, digest), { recursive: true });
  const file = join(folder, digest, 'manifest.json');
  writeFileSync(file, manifest);
  utimesSync(file, madeAtS, madeAtS);
}

const [older, newer] = ['a'.repeat(64), 'b'.repeat(64)];

describe('guest images at the coordinator', () => {
  it('have a newest one, the default of VMs that name none; whatever else lies there is none', () => {
    const images = new GuestImages(folder);
    expect(() => images.newest()).toThrow(`there is no guest image in ${folder}`);
    put(newer, '{}', 2000);
    put(older, '{}', 1000);
    put('no-digest', '{}', 3000);
    mkdirSync(join(folder, 'c'.repeat(64)));
    expect(images.newest()).toBe(newer);
  });

  it('say in how little memory they boot, if their builder did', () => {
    const images = new GuestImages(folder);
    expect(images.memoryMibMin(older)).toBeNull();
    put(older, '{"memoryMibMin":96,"kernelVersion":"7"}', 1000);
    put(newer, '{"memoryMibMin":"96"}', 1000);
    expect(images.memoryMibMin(older)).toBe(96);
    expect(images.memoryMibMin(newer)).toBeNull();
    expect(new GuestImages(null).memoryMibMin(older)).toBeNull();
  });

  it('are not known without a directory: then a VM must name one', () => {
    expect(() => new GuestImages(null).newest()).toThrow(/name an image/);
  });
});
