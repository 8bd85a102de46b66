/** Small but real Debian packages for the tests of this package, made by the machine's dpkg-deb. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';

export interface FakePackage {
  readonly name: string;
  readonly version: string;
  readonly files: Readonly<Record<string, Uint8Array | string>>;
  /** Default: riscv64. */
  readonly architecture?: 'riscv64' | 'all';
  readonly depends?: string;
  readonly compression?: 'gzip' | 'xz' | 'zstd' | 'none';
}

/** A folder that is removed when the test file is done. */
export function temporaryFolder(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'skein-guests-test-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** Writes `<folder>/<name>_<version without epoch>_<architecture>.deb`, as archives name them; returns its path. */
export function writePackage(folder: string, fake: FakePackage): string {
  const root = mkdtempSync(join(tmpdir(), 'skein-deb-'));
  const { architecture = 'riscv64' } = fake;
  const path = join(folder, `${fake.name}_${fake.version.replace(/^\d+:/, '')}_${architecture}.deb`);
  try {
    const control =
      `Package: ${fake.name}\nVersion: ${fake.version}\nArchitecture: ${architecture}\n` +
      `Maintainer: nobody <nobody@example.invalid>\nDescription: for a test\n` +
      (fake.depends === undefined ? '' : `Depends: ${fake.depends}\n`);
    for (const [name, content] of Object.entries({ 'DEBIAN/control': control, ...fake.files })) {
      mkdirSync(dirname(join(root, name)), { recursive: true });
      writeFileSync(join(root, name), content);
    }
    mkdirSync(folder, { recursive: true });
    execFileSync(
      'dpkg-deb',
      ['--root-owner-group', `-Z${fake.compression ?? 'gzip'}`, '--build', root, path],
      {
        stdio: ['ignore', 'ignore', 'pipe'],
        // So that the same content gives the same package.
        env: { ...process.env, SOURCE_DATE_EPOCH: '0' },
      },
    );
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
  return path;
}

/** Bytes with the header of a flat RISC-V kernel image. */
export function fakeKernelImage(content: string): Uint8Array {
  const image = Buffer.alloc(256);
  image.write('RSC\x05', 0x38, 'latin1');
  image.write(content, 64, 'utf8');
  return image;
}

/** A relocatable ELF64 file with nothing in it but `.modinfo`. */
export function fakeModule(name: string, dependsOn: readonly string[] = []): Buffer {
  const info = Buffer.from(`license=GPL\0depends=${dependsOn.join(',')}\0name=${name}\0`, 'latin1');
  const names = Buffer.from('\0.modinfo\0.shstrtab\0', 'latin1');
  const head = Buffer.alloc(64);
  head.write('\x7fELF\x02\x01\x01', 0, 'latin1');
  head.writeUInt16LE(1, 16); // relocatable
  head.writeUInt16LE(243, 18); // RISC-V
  head.writeBigUInt64LE(BigInt(64 + info.length + names.length), 40);
  head.writeUInt16LE(64, 58);
  head.writeUInt16LE(3, 60);
  head.writeUInt16LE(2, 62);
  const section = (nameOffset: number, offset: number, size: number): Buffer => {
    const header = Buffer.alloc(64);
    header.writeUInt32LE(nameOffset, 0);
    header.writeBigUInt64LE(BigInt(offset), 24);
    header.writeBigUInt64LE(BigInt(size), 32);
    return header;
  };
  return Buffer.concat([
    head,
    info,
    names,
    section(0, 0, 0),
    section(1, 64, info.length),
    section(10, 64 + info.length, names.length),
  ]);
}

/** A module as `scripts/sign-file` leaves it; the signature itself is 5 bytes of nothing. */
export function signed(module: Buffer): Buffer {
  const info = Buffer.alloc(12);
  info[2] = 2; // PKCS#7
  info.writeUInt32BE(5, 8);
  return Buffer.concat([
    module,
    Buffer.alloc(5),
    info,
    Buffer.from('~Module signature appended~\n', 'latin1'),
  ]);
}

/** A kernel and busybox in the layout of Debian's newer suites. */
export function splitKernelPackages(release: string, version: string): FakePackage[] {
  const modules = `usr/lib/modules/${release}/kernel`;
  return [
    { name: 'busybox-static', version: '1:1.38.0-3', files: { 'usr/bin/busybox': `busybox for ${version}` } },
    {
      name: `linux-image-${release}`,
      version,
      depends: `linux-binary-${release} (= ${version}), linux-modules-${release} (= ${version})`,
      files: { 'usr/share/doc/empty': '' },
    },
    {
      name: `linux-binary-${release}`,
      version,
      files: { [`usr/lib/modules/${release}/vmlinuz`]: fakeKernelImage(`Linux ${release}`) },
    },
    {
      name: `linux-modules-${release}`,
      version,
      files: {
        [`${modules}/drivers/net/virtio_net.ko.zst`]: zstdCompressSync(
          signed(fakeModule('virtio_net', ['net_failover'])),
        ),
        [`${modules}/drivers/net/net_failover.ko.gz`]: gzipSync(fakeModule('net_failover', ['failover'])),
        [`${modules}/net/core/failover.ko`]: fakeModule('failover'),
        [`${modules}/drivers/virtio/virtio_mmio.ko`]: fakeModule('virtio_mmio'),
        [`${modules}/drivers/block/virtio_blk.ko`]: fakeModule('virtio_blk'),
        [`${modules}/drivers/char/hw_random/virtio-rng.ko`]: fakeModule('virtio_rng'),
        [`${modules}/fs/ext4/ext4.ko`]: fakeModule('ext4', ['jbd2', 'failover']),
        [`${modules}/fs/jbd2/jbd2.ko`]: fakeModule('jbd2'),
        [`${modules}/drivers/gpu/virtio-gpu.ko`]: fakeModule('virtio_gpu'),
      },
    },
  ];
}
