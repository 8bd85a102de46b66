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
  it('have a newest one with the kernel of Debian, the default of VMs that name none; whatever else lies there is none', () => {
    const images = new GuestImages(folder);
    expect(() => images.resolve()).toThrow(`there is no guest image debian in ${folder}`);
    put(newer, '{}', 2000);
    put(older, '{}', 1000);
    put('no-digest', '{}', 3000);
    mkdirSync(join(folder, 'c'.repeat(64)));
    expect(images.resolve()).toBe(newer);
  });

  it('are meant by their digest, or by a name whose newest is taken', () => {
    const images = new GuestImages(folder);
    put(older, '{}', 1000);
    expect(() => images.resolve('small')).toThrow(/build one with: skein image build small/);
    put(newer, '{"name":"small"}', 2000);
    expect(images.resolve('small')).toBe(newer);
    expect(images.resolve()).toBe(older);
    expect(images.resolve('debian')).toBe(older);
    expect(images.resolve(newer)).toBe(newer);
    expect([older, newer].map((digest) => images.nameOf(digest))).toEqual(['debian', 'small']);
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
    expect(() => new GuestImages(null).resolve()).toThrow(/name an image/);
    expect(new GuestImages(null).resolve(older)).toBe(older);
  });
});
