import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { splitKernelPackages, temporaryFolder } from '../test-support/fake-packages.ts';
import { hasGpg, SignedArchive } from '../test-support/signed-archive.ts';
import { type ObtainOptions, obtainPackages } from './obtain.ts';

const folder = temporaryFolder();
const release = '7.2.12+deb14-riscv64';
const packages = [
  ...splitKernelPackages(release, '7.2.12-1'),
  {
    name: 'linux-image-riscv64',
    version: '7.2.12-1',
    depends: `linux-image-${release} (= 7.2.12-1)`,
    files: { 'usr/share/doc/empty': '' },
  },
];
let archive: SignedArchive;
afterAll(() => folder.remove());

/** With an empty cache, and a list of what was told on the way. */
function setting(name: string) {
  const warnings: string[] = [];
  const progress: [string, number, number][] = [];
  const options: ObtainOptions = {
    cacheFolder: join(folder.path, name),
    packageFolder: undefined,
    lock: undefined,
    refresh: false,
    warn: (message) => warnings.push(message),
    onProgress: (...step) => progress.push(step),
  };
  return { options, warnings, progress };
}

describe.skipIf(!hasGpg())("packages from an archive (needs gpg, to sign the test's own)", () => {
  beforeAll(() => {
    archive = new SignedArchive(join(folder.path, 'a'));
    const list = join(folder.path, 'sources.list');
    writeFileSync(list, `deb [signed-by=${archive.keyring}] file:${archive.folder} bookworm main\n`);
    const configuration = join(folder.path, 'apt.conf');
    writeFileSync(configuration, `Dir::Etc::sourcelist "${list}";\nDir::Etc::sourceparts "/dev/null";\n`);
    vi.stubEnv('APT_CONFIG', configuration);
    archive.publish('forky', packages);
    archive.publish('sid', packages);
  });

  afterAll(() => {
    vi.unstubAllEnvs();
    archive.close();
  });

  test('come from the first suite that can be used, verified, and only those that are needed', async () => {
    const { options, warnings, progress } = setting('first');
    const obtained = await obtainPackages(options);
    expect(obtained.suite).toBe('forky');
    expect(obtained.packages.map(({ name, version }) => `${name} ${version}`)).toEqual([
      'busybox-static 1:1.38.0-3',
      `linux-binary-${release} 7.2.12-1`,
      `linux-modules-${release} 7.2.12-1`,
    ]);
    for (const { path, sha256 } of obtained.packages) {
      expect(path).toBe(join(options.cacheFolder, 'packages', `${sha256}.deb`));
    }
    expect(warnings).toEqual([expect.stringContaining("Debian's trixie cannot be used")]);
    const total = obtained.packages.reduce((sum, { path }) => sum + readFileSync(path).length, 0);
    expect(progress.at(-1)).toEqual(['packages of Debian forky', total, total]);
  });

  test('are not fetched again when the lock file names what the cache holds, and are when that is damaged', async () => {
    const { options, warnings, progress } = setting('again');
    const { suite, packages: first } = await obtainPackages(options);
    progress.length = 0;
    warnings.length = 0;
    const locked = { ...options, lock: { suite, packages: first } };
    expect((await obtainPackages(locked)).packages).toEqual(first);
    expect(progress).toEqual([]);
    const damaged = first[1]?.path ?? '';
    writeFileSync(damaged, readFileSync(damaged).fill(0, 100, 120));
    expect((await obtainPackages(locked)).packages.map(({ sha256 }) => sha256).sort()).toEqual(
      first.map(({ sha256 }) => sha256).sort(),
    );
    expect(warnings).toEqual([`${damaged} is damaged and was removed; it is fetched anew`]);
    expect(progress[0]).toEqual(['index of Debian forky', 0, 0]);
    expect(readdirSync(join(options.cacheFolder, 'packages'))).toHaveLength(3);
  });

  test('are refused when their content is not what was signed; the next suite is used', async () => {
    const file = archive.packageFile('forky', `linux-binary-${release}`);
    const sound = readFileSync(file);
    writeFileSync(file, Buffer.from(sound).fill(0, 100, 120));
    try {
      const { options, warnings } = setting('tampered');
      expect((await obtainPackages(options)).suite).toBe('sid');
      expect(warnings[1]).toMatch(/Debian's forky cannot be used/);
    } finally {
      writeFileSync(file, sound);
    }
  });

  test('are refused when the index was changed after it was signed', async () => {
    const { options } = setting('unsigned');
    for (const suite of ['forky', 'sid']) {
      const path = join(archive.folder, 'dists', suite, 'InRelease');
      writeFileSync(path, readFileSync(path, 'utf8').replace('Origin: Debian', 'Origin: Nobody'));
      // Without the signed file, apt would try the detached signature, which there is none of.
      rmSync(join(archive.folder, 'dists', suite, 'Release'));
    }
    try {
      await expect(obtainPackages(options)).rejects.toMatchObject({
        code: 'image.unavailable',
        message: expect.stringMatching(/suite forky: .*suite sid: .*try again/),
      });
    } finally {
      archive.publish('forky', packages);
      archive.publish('sid', packages);
    }
  });

  test('are looked for first in the suite of the lock file', async () => {
    const { options, warnings } = setting('locked-suite');
    const lock = {
      suite: 'sid',
      packages: [{ name: 'busybox-static', version: '1', sha256: 'a'.repeat(64) }],
    };
    expect((await obtainPackages({ ...options, lock })).suite).toBe('sid');
    expect(warnings).toEqual([]);
  });
});
