import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { temporaryFolder } from '../test-support/fake-packages.ts';
import { defaultLockFile, describeChanges, parseLock, readLockFile, writeLockFile } from './lock-file.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());

const busybox = { name: 'busybox-static', version: '1:1.38.0-3+b1', sha256: 'a'.repeat(64) };
const kernel = { name: 'linux-binary-7.2.12+deb14-riscv64', version: '7.2.12-1', sha256: 'b'.repeat(64) };

describe('the lock file', () => {
  test('of this checkout names busybox and a kernel', async () => {
    const lock = await readLockFile(defaultLockFile);
    expect(lock?.packages.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['busybox-static', expect.stringMatching(/^linux-(?:image|binary)-\d/)]),
    );
  });

  test('is read as it was written, sorted by name', async () => {
    const path = join(folder.path, 'packages.lock.json');
    await writeLockFile(path, { suite: 'forky', packages: [kernel, busybox] });
    expect(await readLockFile(path)).toEqual({ suite: 'forky', packages: [busybox, kernel] });
  });

  test('may be absent', async () => {
    expect(await readLockFile(join(folder.path, 'absent.json'))).toBeUndefined();
  });

  test.each([
    ['no JSON', '{'],
    ['no object', '[]'],
    ['an empty list', JSON.stringify({ suite: 'sid', packages: [] })],
    ['a suite that is a path', JSON.stringify({ suite: '../sid', packages: [busybox] })],
    ['a hash that is none', JSON.stringify({ suite: 'sid', packages: [{ ...busybox, sha256: 'abc' }] })],
    [
      'a name that is an option',
      JSON.stringify({ suite: 'sid', packages: [{ ...busybox, name: '--purge' }] }),
    ],
    ['too many packages', JSON.stringify({ suite: 'sid', packages: Array(501).fill(busybox) })],
  ])('is refused when it has %s', (_what, text) => {
    expect(() => parseLock(text, 'packages.lock.json')).toThrow(/packages\.lock\.json is not/);
  });
});

describe('describeChanges', () => {
  const lock = { suite: 'forky', packages: [busybox, kernel] };

  test('says nothing when nothing changed', () => {
    expect(describeChanges(lock, [kernel, busybox])).toEqual([]);
  });

  test('names a new version, another content, what came and what went', () => {
    const used = [
      { ...busybox, version: '1:1.39.0-1' },
      { ...kernel, name: 'linux-binary-7.3-riscv64' },
    ];
    expect(describeChanges(lock, used)).toEqual([
      'busybox-static is 1:1.39.0-1, the lock file has 1:1.38.0-3+b1',
      'linux-binary-7.3-riscv64 7.2.12-1 is not in the lock file',
      'linux-binary-7.2.12+deb14-riscv64 7.2.12-1 of the lock file is not used',
    ]);
    expect(describeChanges(lock, [{ ...busybox, sha256: 'c'.repeat(64) }, kernel])).toEqual([
      'busybox-static 1:1.38.0-3+b1 has another content than in the lock file',
    ]);
  });
});
