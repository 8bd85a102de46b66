import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { defaultCacheFolder } from './cache-folder.ts';
import { sha256OfFile } from './digest.ts';
import { buildGuestImage, ensureGuestImage, listGuestImages, loadGuestImage } from './image.ts';
import { writeLockFile } from './packages/lock-file.ts';
import { splitKernelPackages, temporaryFolder, writePackage } from './test-support/fake-packages.ts';

const folder = temporaryFolder();
afterAll(() => {
  vi.unstubAllEnvs();
  folder.remove();
});

const release = '7.2.12+deb14-riscv64';
const packageFolder = join(folder.path, 'debs');
const packagePaths = splitKernelPackages(release, '7.2.12-1').map((fake) =>
  writePackage(packageFolder, fake),
);

/** Options with a cache of their own, and what was warned of. */
function setting(name: string) {
  const warnings: string[] = [];
  const phases: string[] = [];
  const options = {
    cacheFolder: join(folder.path, name),
    packageFolder,
    lockFile: join(folder.path, name, 'packages.lock.json'),
    onWarning: (message: string) => warnings.push(message),
    onProgress: (phase: string) => phases.push(phase),
  };
  return { options, warnings, phases };
}

/** The machine then has no source of packages but those that the test names. */
function withAptSources(text: string): void {
  const path = join(folder.path, 'apt.conf');
  const list = join(folder.path, 'sources.list');
  writeFileSync(list, text);
  writeFileSync(path, `Dir::Etc::sourcelist "${list}";\nDir::Etc::sourceparts "/dev/null";\n`);
  vi.stubEnv('APT_CONFIG', path);
}

describe('ensureGuestImage', () => {
  test('builds an image from a package folder, and finds it in the cache the next time', async () => {
    const { options, phases } = setting('first');
    const image = await ensureGuestImage(options);
    expect(image.kernelVersion).toBe(release);
    expect(image.packages.map(({ name }) => name)).toEqual([
      'busybox-static',
      `linux-binary-${release}`,
      `linux-modules-${release}`,
    ]);
    expect(readFileSync(image.kernelPath, 'latin1')).toContain(`Linux ${release}`);
    expect(phases).toEqual(['kernel and modules', 'initramfs']);
    phases.length = 0;
    expect(await ensureGuestImage(options)).toEqual(image);
    expect(phases).toEqual([]);
    expect(await listGuestImages(options)).toEqual([image]);
    expect(await loadGuestImage(image.digest, options)).toEqual(image);
    expect(await loadGuestImage(image.digest.slice(0, 6), options)).toEqual(image);
    for (const short of ['', image.digest.slice(0, 5), '0123456789'])
      await expect(loadGuestImage(short, options)).rejects.toMatchObject({ code: 'image.not-found' });
  });

  test('is not chosen among several that begin alike', async () => {
    const { options } = setting('alike');
    const image = await ensureGuestImage(options);
    const twin = `${image.digest.slice(0, 63)}${image.digest.endsWith('0') ? '1' : '0'}`;
    mkdirSync(join(options.cacheFolder, 'images', twin));
    await expect(loadGuestImage(image.digest.slice(0, 12), options)).rejects.toMatchObject({
      code: 'image.invalid',
      message: expect.stringContaining(twin) as string,
    });
    expect(await loadGuestImage(image.digest, options)).toEqual(image);
  });

  test('gives the same digest from the same packages everywhere', async () => {
    const [one, other] = await Promise.all(
      ['one', 'other'].map((name) => buildGuestImage(setting(name).options)),
    );
    expect(one?.digest).toBe(other?.digest);
  });

  test('lets two builders of one cache end with the same sound image', async () => {
    const { options } = setting('shared');
    const images = await Promise.all([
      buildGuestImage(options),
      buildGuestImage(options),
      ensureGuestImage(options),
    ]);
    expect(new Set(images.map(({ digest }) => digest)).size).toBe(1);
    expect(await listGuestImages(options)).toHaveLength(1);
  });

  test.each(['kernel', 'initrd', 'manifest.json'])('notices a damaged %s and makes it anew', async (file) => {
    const { options, warnings } = setting(`damaged-${file}`);
    const image = await ensureGuestImage(options);
    const path = join(image.kernelPath, '..', file);
    const bytes = readFileSync(path);
    bytes[20] = (bytes[20] ?? 0) ^ 1;
    writeFileSync(path, bytes);
    await expect(loadGuestImage(image.digest, options)).rejects.toMatchObject({ code: 'image.corrupt' });
    expect(await listGuestImages(options)).toEqual([]);
    warnings.length = 0;
    expect(await ensureGuestImage(options)).toEqual(image);
    expect(warnings).toEqual([expect.stringContaining(`${file} is not what it was; it is made anew`)]);
    expect(await loadGuestImage(image.digest, options)).toEqual(image);
  });

  test('reports packages that changed since the lock file was written, and uses them', async () => {
    const { options, warnings } = setting('changed');
    const [busybox, , binary, modules] = packagePaths.map(async (path) => await sha256OfFile(path));
    mkdirSync(options.cacheFolder, { recursive: true });
    await writeLockFile(options.lockFile, {
      suite: 'forky',
      packages: [
        { name: 'busybox-static', version: '1:1.37.0-1', sha256: 'a'.repeat(64) },
        { name: `linux-binary-${release}`, version: '7.2.12-1', sha256: (await binary) ?? '' },
        { name: `linux-modules-${release}`, version: '7.2.12-1', sha256: (await modules) ?? '' },
      ],
    });
    const image = await ensureGuestImage(options);
    expect(warnings).toEqual(['busybox-static is 1:1.38.0-3, the lock file has 1:1.37.0-1']);
    expect(image.packages[0]?.sha256).toBe(await busybox);
  });

  test('takes the newest of several kernels in the package folder', async () => {
    const { options } = setting('several');
    const both = join(folder.path, 'several-debs');
    for (const version of ['7.2.9', '7.2.12', '7.2.10']) {
      for (const fake of splitKernelPackages(`${version}-riscv64`, `${version}-1`)) writePackage(both, fake);
    }
    const image = await ensureGuestImage({ ...options, packageFolder: both });
    expect(image.kernelVersion).toBe('7.2.12-riscv64');
  });
});

describe('without packages at hand', () => {
  test('it is said which sources are missing and what to do', async () => {
    withAptSources('');
    const { options } = setting('no-source');
    await expect(ensureGuestImage({ ...options, packageFolder: '' })).rejects.toMatchObject({
      code: 'image.unavailable',
      message: expect.stringMatching(/no Debian source is configured.*SKEIN_PACKAGE_CACHE/),
    });
  });

  test('each suite is tried in order, and the message has the reason for each', async () => {
    withAptSources(`deb file:${join(folder.path, 'absent')} bookworm main\n`);
    const { options, warnings } = setting('no-suite');
    await expect(ensureGuestImage({ ...options, packageFolder: '' })).rejects.toMatchObject({
      code: 'image.unavailable',
      message: expect.stringMatching(/suite trixie: .*suite forky: .*suite sid: .*SKEIN_PACKAGE_CACHE/),
    });
    expect(warnings).toHaveLength(3);
    expect(await listGuestImages(options)).toEqual([]);
  });

  test('a package folder that does not exist is named', async () => {
    const { options } = setting('no-folder');
    await expect(ensureGuestImage({ ...options, packageFolder: '/nonexistent' })).rejects.toMatchObject({
      code: 'image.unavailable',
      message: expect.stringContaining('/nonexistent (SKEIN_PACKAGE_CACHE)'),
    });
  });
});

describe('the cache', () => {
  test('is where the environment says', () => {
    expect(defaultCacheFolder({ SKEIN_CACHE: '/a', XDG_CACHE_HOME: '/b' })).toBe('/a');
    expect(defaultCacheFolder({ SKEIN_CACHE: '', XDG_CACHE_HOME: '/b' })).toBe('/b/skein');
    expect(defaultCacheFolder({})).toMatch(/\/\.cache\/skein$/);
  });

  test('is named when it cannot be made', async () => {
    const path = join(folder.path, 'a-file');
    writeFileSync(path, '');
    await expect(
      ensureGuestImage({ ...setting('unmakable').options, cacheFolder: join(path, 'cache') }),
    ).rejects.toMatchObject({
      code: 'image.unavailable',
      message: expect.stringContaining('a-file/cache cannot be made'),
    });
  });

  test.each(['f'.repeat(64), '../../etc/passwd', ''])('has no image %j', async (digest) => {
    await expect(loadGuestImage(digest, setting('empty').options)).rejects.toMatchObject({
      code: 'image.not-found',
    });
  });
});
