import { afterAll, describe, expect, test } from 'vitest';
import { readGuestKernel } from './kernel.ts';
import { readModuleInfo, withoutSignature } from './kernel-module.ts';
import {
  type FakePackage,
  fakeKernelImage,
  fakeModule,
  signed,
  splitKernelPackages,
  temporaryFolder,
  writePackage,
} from './test-support/fake-packages.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());

const write = (packages: readonly FakePackage[]) => packages.map((fake) => writePackage(folder.path, fake));

/** Debian 13: all in one package, with what is built in beside the modules. */
function singlePackage(
  release: string,
  modules: readonly string[],
  builtIn: readonly string[] = [],
): FakePackage {
  const folderOfModules = `usr/lib/modules/${release}`;
  const files = modules.map((name) => [`${folderOfModules}/kernel/${name}.ko`, fakeModule(name)]);
  return {
    name: `linux-image-${release}`,
    version: '6.12.48-1',
    files: {
      [`boot/vmlinux-${release}`]: fakeKernelImage(release),
      [`${folderOfModules}/modules.builtin`]: builtIn.map((name) => `kernel/drivers/${name}.ko\n`).join(''),
      ...Object.fromEntries(files),
    },
  };
}

describe('readGuestKernel', () => {
  test('takes image and modules from split packages, dependencies first', async () => {
    const kernel = await readGuestKernel(
      write(splitKernelPackages('7.2.12+deb14-riscv64', '7.2.12-1').slice(1)),
    );
    expect(kernel.version).toBe('7.2.12+deb14-riscv64');
    expect(kernel.image).toEqual(fakeKernelImage('Linux 7.2.12+deb14-riscv64'));
    expect(kernel.modules.map(({ name }) => name)).toEqual([
      'virtio_mmio',
      'failover',
      'net_failover',
      'virtio_net',
      'virtio_blk',
      'virtio_rng',
    ]);
    // What every guest has loaded is not there twice.
    expect(kernel.diskModules.map(({ name }) => name)).toEqual(['jbd2', 'ext4']);
    expect(kernel.modules[3]?.data).toEqual(fakeModule('virtio_net', ['net_failover']));
  });

  test('takes image and modules from a single package, and needs no module for what is built in', async () => {
    const kernel = await readGuestKernel(
      write([singlePackage('6.12.48-riscv64', ['virtio_net', 'virtio-blk'], ['virtio/virtio_mmio'])]),
    );
    expect(kernel.version).toBe('6.12.48-riscv64');
    expect(kernel.modules.map(({ name }) => name)).toEqual(['virtio_net', 'virtio_blk']);
    expect(kernel.diskModules).toEqual([]);
  });

  test('refuses a kernel that lacks a driver of the board', async () => {
    const paths = write([singlePackage('6.12.49-riscv64', ['virtio_mmio', 'virtio_blk'])]);
    await expect(readGuestKernel(paths)).rejects.toMatchObject({
      code: 'image.corrupt',
      message: expect.stringContaining('virtio_net'),
    });
  });

  test('refuses an image that would need firmware to unpack it', async () => {
    const fake = singlePackage('6.12.50-riscv64', ['virtio_mmio', 'virtio_net', 'virtio_blk']);
    const zipped = {
      ...fake,
      files: { ...fake.files, 'boot/vmlinux-6.12.50-riscv64': 'MZ zimg'.padEnd(100) },
    };
    await expect(readGuestKernel(write([zipped]))).rejects.toMatchObject({ code: 'image.corrupt' });
  });

  test('says so when the packages hold no kernel', async () => {
    const paths = write([{ name: 'linux-image-1-riscv64', version: '1', files: { 'usr/share/empty': '' } }]);
    await expect(readGuestKernel(paths)).rejects.toThrow(
      'no kernel image in linux-image-1-riscv64_1_riscv64.deb',
    );
  });
});

describe('kernel modules', () => {
  test('tell their name and their dependencies, both spelled as the kernel spells them', () => {
    expect(readModuleInfo(fakeModule('virtio-rng', ['rng-core', 'virtio']))).toEqual({
      name: 'virtio_rng',
      dependsOn: ['rng_core', 'virtio'],
    });
  });

  test('lose exactly their signature', () => {
    const module = fakeModule('virtio_net');
    expect(withoutSignature(signed(module))).toEqual(module);
    expect(withoutSignature(module)).toBe(module);
  });

  test.each([
    ['is empty', Buffer.alloc(0)],
    ['is cut off', fakeModule('virtio_net').subarray(0, 150)],
    ['is for another machine', Buffer.from(fakeModule('virtio_net')).fill(62, 18, 19)],
    ['states an absurd section table', Buffer.from(fakeModule('virtio_net')).fill(0xff, 40, 47)],
  ])('are refused when the file %s', (_what, data) => {
    expect(() => readModuleInfo(data)).toThrow(/not a kernel module/);
  });
});
