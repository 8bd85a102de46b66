import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { buildGuestImage, ensureGuestImage, findGuestImage, listGuestImages } from '../image.ts';
import {
  type Behaviour,
  fakeKernelSource,
  fakeRelease,
  writeFakeTools,
} from '../test-support/fake-kernel-source.ts';
import { splitKernelPackages, temporaryFolder, writePackage } from '../test-support/fake-packages.ts';
import { requireFragment } from './compile.ts';
import { fragment, kernelKey } from './small-kernel.ts';
import { describeToolchain } from './toolchain.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());

const tools = join(folder.path, 'tools');
const systemPath = process.env.PATH ?? '';
beforeEach(() => {
  writeFakeTools(tools, '12.2.0');
  vi.stubEnv('PATH', `${tools}:${systemPath}`);
});
afterEach(() => vi.unstubAllEnvs());

const release = '7.2.12+deb14-riscv64';

/** With a cache and packages of its own, and what was told on the way. */
function setting(name: string, behaviour: Behaviour = 'compile') {
  const warnings: string[] = [];
  const phases: string[] = [];
  const cacheFolder = join(folder.path, name);
  const packageFolder = join(folder.path, `${name}-debs`);
  for (const fake of splitKernelPackages(release, '7.2.12-1')) writePackage(packageFolder, fake);
  writePackage(packageFolder, fakeKernelSource(behaviour));
  const options = {
    name: 'small' as const,
    cacheFolder,
    packageFolder,
    lockFile: join(cacheFolder, 'packages.lock.json'),
    kernelSourceLockFile: join(cacheFolder, 'small-kernel.lock.json'),
    onWarning: (message: string) => warnings.push(message),
    onProgress: (phase: string) => phases.push(phase),
  };
  return { options, warnings, phases, kernels: join(cacheFolder, 'kernels') };
}

const kernelFolder = (kernels: string): string =>
  join(kernels, readdirSync(kernels).find((name) => /^[0-9a-f]{64}$/.test(name)) ?? 'none');

describe('the image with the small kernel', () => {
  test('is made of a kernel compiled from its source, no modules, and busybox', async () => {
    const { options, phases, kernels } = setting('first');
    const image = await ensureGuestImage(options);
    expect(image).toMatchObject({
      name: 'small',
      kernelVersion: fakeRelease,
      identityPort: 'skein.identity',
    });
    expect(image.packages.map(({ name, version }) => `${name} ${version}`)).toEqual([
      'busybox-static 1:1.38.0-3',
      'linux-source-6.1 6.1.999-1',
    ]);
    expect(readFileSync(image.initrdPath, 'latin1')).not.toMatch(/lib\/modules\/\w+\.ko/);
    expect(phases).toEqual([
      'small kernel: source is unpacked',
      'small kernel: configuration',
      'small kernel: compiled',
      'initramfs',
    ]);
    expect(readdirSync(kernelFolder(kernels)).sort()).toEqual(['Image', 'config', 'kernel.json']);
    expect(readdirSync(kernels)).toHaveLength(1);
    const record = JSON.parse(readFileSync(join(kernelFolder(kernels), 'kernel.json'), 'utf8')) as object;
    expect(record).toMatchObject({ version: fakeRelease, toolchain: 'gcc 12.2.0; ld 2.40' });
  });

  test('is found the next time, also on a machine without a compiler, and stands beside the one of Debian', async () => {
    const { options, phases } = setting('again');
    const image = await ensureGuestImage(options);
    const debian = await ensureGuestImage({ ...options, name: 'debian' });
    expect(debian).toMatchObject({ name: 'debian', kernelVersion: release });
    phases.length = 0;
    vi.stubEnv('PATH', '/nonexistent');
    expect(await ensureGuestImage(options)).toEqual(image);
    expect(await findGuestImage(options)).toEqual(image);
    expect(phases).toEqual([]);
    expect((await listGuestImages(options)).map(({ name }) => name).sort()).toEqual(['debian', 'small']);
  });

  test('is compiled once for a source, a configuration and a compiler', async () => {
    const { options, phases, kernels } = setting('once');
    const first = await buildGuestImage(options);
    phases.length = 0;
    expect(await buildGuestImage(options)).toEqual(first);
    expect(phases).toEqual(['initramfs']);
    writeFakeTools(tools, '14.0.0');
    await buildGuestImage(options);
    expect(phases).toContain('small kernel: compiled');
    expect(readdirSync(kernels)).toHaveLength(2);
  });

  test('is compiled anew when what was kept is damaged', async () => {
    const { options, warnings, kernels } = setting('damaged');
    const first = await buildGuestImage(options);
    warnings.length = 0;
    writeFileSync(join(kernelFolder(kernels), 'Image'), 'something else');
    expect(await buildGuestImage(options)).toEqual(first);
    expect(warnings).toEqual([
      expect.stringMatching(/the small kernel in .* is damaged; it is compiled anew/),
    ]);
  });

  test('depends on nothing in the environment of who builds it', async () => {
    vi.stubEnv('KCFLAGS', '-O0');
    vi.stubEnv('MAKEFLAGS', '--keep-going');
    vi.stubEnv('LOCALVERSION', '-mine');
    const { kernelPath } = await buildGuestImage(setting('surroundings').options);
    const surroundings = readFileSync(kernelPath, 'latin1');
    expect(surroundings).toMatch(/^CROSS_COMPILE$[\s\S]*^KBUILD_BUILD_TIMESTAMP$/m);
    expect(surroundings).not.toMatch(/KCFLAGS|MAKEFLAGS|LOCALVERSION/);
  });

  test('is not there when its compilation failed: the message has the reason, and the log is kept', async () => {
    const { options, kernels } = setting('failing', 'fail');
    const failure: unknown = await ensureGuestImage(options).catch((cause: unknown) => cause);
    expect(failure).toMatchObject({
      code: 'image.build-failed',
      message: expect.stringMatching(
        /does not compile: .*main\.c:1:1: error: no such thing; all of it is in/,
      ),
    });
    const log = /is in (\S+\.log)$/.exec(String(failure))?.[1] ?? '';
    expect(readFileSync(log, 'utf8')).toMatch(/^\$ make -j\d+ Image$[\s\S]*no such thing/m);
    expect(readdirSync(kernels).filter((name) => !name.endsWith('.log'))).toEqual([]);
    expect(await findGuestImage(options)).toBeUndefined();
  });

  test('leaves nothing when it is interrupted, and no compiler at work', async () => {
    const { options, kernels } = setting('interrupted', 'take forever');
    const abort = new AbortController();
    const reason = new Error('enough');
    const onProgress = (phase: string): void => {
      if (phase === 'small kernel: compiled') abort.abort(reason);
    };
    await expect(ensureGuestImage({ ...options, onProgress, signal: abort.signal })).rejects.toBe(reason);
    const [log = ''] = readdirSync(kernels);
    expect(readdirSync(kernels)).toEqual([expect.stringMatching(/\.log$/)]);
    const pid = Number(/in process (\d+)/.exec(readFileSync(join(kernels, log), 'utf8'))?.[1]);
    expect(existsSync(`/proc/${pid}`)).toBe(false);
    expect(await findGuestImage(options)).toBeUndefined();
  });

  test('is refused when Linux does not take an option that the fragment asks for', async () => {
    await expect(ensureGuestImage(setting('refused', 'refuse an option').options)).rejects.toMatchObject({
      code: 'image.build-failed',
      message: expect.stringMatching(/does not take CONFIG_VIRTIO_NET=y:/),
    });
  });

  test('takes the source of the lock file, and tells if it is another one', async () => {
    const { options, warnings } = setting('locked');
    mkdirSync(options.cacheFolder, { recursive: true });
    const locked = { name: 'linux-source-6.1', version: '6.1.1-1', sha256: 'a'.repeat(64) };
    writeFileSync(options.kernelSourceLockFile, JSON.stringify({ suite: 'bookworm', packages: [locked] }));
    await ensureGuestImage(options);
    expect(warnings).toEqual(['linux-source-6.1 is 6.1.999-1, the lock file has 6.1.1-1']);
  });
});

describe('the tools', () => {
  test('that are missing are told all at once, as packages to install', async () => {
    await expect(describeToolchain('/nonexistent')).rejects.toMatchObject({
      code: 'image.toolchain-missing',
      message: expect.stringMatching(
        /apt-get install gcc-riscv64-linux-gnu binutils-riscv64-linux-gnu gcc libc6-dev make flex bison bc tar xz-utils$/,
      ),
    });
  });

  test('are asked for before anything is fetched', async () => {
    const { options, phases } = setting('tool-less');
    vi.stubEnv('PATH', join(folder.path, 'empty'));
    await expect(ensureGuestImage(options)).rejects.toMatchObject({ code: 'image.toolchain-missing' });
    expect(phases).toEqual([]);
  });
});

describe('the configuration', () => {
  test('names a kernel by source, text and compiler', () => {
    const keys = [
      kernelKey('a', 'config', 'gcc 12'),
      kernelKey('b', 'config', 'gcc 12'),
      kernelKey('a', 'other', 'gcc 12'),
      kernelKey('a', 'config', 'gcc 13'),
    ];
    expect(new Set(keys).size).toBe(4);
    expect(kernelKey('a', 'config', 'gcc 12')).toBe(keys[0]);
  });

  test('builds in what init and the board need: there are no modules', () => {
    for (const option of ['VIRTIO_MMIO', 'VIRTIO_NET', 'VIRTIO_BLK', 'VIRTIO_CONSOLE', 'PACKET', 'EXT4_FS'])
      expect(fragment).toMatch(new RegExp(`^CONFIG_${option}=y$`, 'm'));
    expect(fragment).not.toMatch(/=m$/m);
  });

  test('holds where each line is as it was asked for; what is not set counts as off', () => {
    requireFragment(
      'CONFIG_A=y\nCONFIG_B=n\nCONFIG_C="x"\n',
      'CONFIG_A=y\n# CONFIG_B is not set\nCONFIG_C="x"\n',
    );
    expect(() => requireFragment('CONFIG_A=y\nCONFIG_B=n\n', 'CONFIG_B=y\n')).toThrow(
      /does not take CONFIG_A=y, CONFIG_B=n:/,
    );
  });
});
