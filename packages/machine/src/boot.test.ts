import { gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { planBoot } from './boot.ts';
import { makeElf, makeKernelImage, makeZboot } from './devices/test-support/make-images.ts';
import { readDeviceTree } from './devices/test-support/read-device-tree.ts';
import { wideCells } from './flattened-device-tree.ts';

const MIB = 2 ** 20;
const KERNEL_ADDRESS = 0x8020_0000;
const kernel = makeKernelImage(0x5000, 5 * MIB);
const base = { memoryMib: 64, bootArguments: 'console=ttyS0' };

describe('planning a boot', () => {
  it.each([
    ['image', kernel],
    ['gzip image', gzipSync(kernel)],
    ['zstd image', zstdCompressSync(kernel)],
    ['zboot gzip image', makeZboot(gzipSync(kernel), 'gzip')],
    ['zboot zstd image', makeZboot(zstdCompressSync(kernel), 'zstd')],
  ])('unpacks a kernel that comes as %s and starts it 2 MiB above the start of RAM', (format, file) => {
    const plan = planBoot({ ...base, kernel: file });
    expect(plan.kernelFormat).toBe(format);
    expect(plan.entry).toBe(KERNEL_ADDRESS);
    const [segment] = plan.segments;
    expect([segment?.address, segment?.memoryBytes]).toEqual([KERNEL_ADDRESS, 5 * MIB]);
    expect(new Uint8Array(segment?.bytes ?? [])).toEqual(kernel);
  });

  it('keeps kernel, RAM disk and device tree apart, inside RAM, and tells the kernel where they are', () => {
    for (const memoryMib of [16, 64, 65, 256, 3072]) {
      const initrd = new Uint8Array(3_000_001).fill(9);
      const plan = planBoot({ kernel, initrd, memoryMib, bootArguments: '' });
      const sorted = [...plan.segments].sort((a, b) => a.address - b.address);
      expect(sorted.map((segment) => segment.name)).toEqual(['kernel', 'initrd', 'device-tree']);
      let end = KERNEL_ADDRESS;
      for (const segment of sorted) {
        expect(segment.address).toBeGreaterThanOrEqual(end);
        expect(segment.address % 4096).toBe(0);
        end = segment.address + segment.memoryBytes;
      }
      expect(end).toBeLessThanOrEqual(Math.min(0x8000_0000 + memoryMib * MIB, 0xc000_0000));
      expect(plan.deviceTreeAddress % (2 * MIB)).toBe(0);
      const chosen = readDeviceTree(plan.deviceTree).nodes.get('/chosen');
      expect(chosen?.get('linux,initrd-start')).toEqual(wideCells(sorted[1]?.address ?? 0));
      expect(chosen?.get('linux,initrd-end')).toEqual(wideCells((sorted[1]?.address ?? 0) + initrd.length));
    }
  });

  it('starts firmware in M mode, and tells it where the kernel is', () => {
    const firmware = new Uint8Array(300_000).fill(0x13);
    const plan = planBoot({ ...base, kernel, firmware });
    expect([plan.mode, plan.entry]).toEqual(['machine', 0x8000_0000]);
    const [first] = plan.segments;
    expect([first?.name, first?.address, first?.bytes]).toEqual(['firmware', 0x8000_0000, firmware]);
    const told = plan.segments.find(({ address }) => address === plan.dynamicInformationAddress);
    // OpenSBI, include/sbi/fw_dynamic.h: magic, version, next address, next mode S, options, boot hart.
    expect([...new BigUint64Array(told?.bytes.slice().buffer ?? new ArrayBuffer(0))]).toEqual([
      0x4942534fn,
      2n,
      BigInt(KERNEL_ADDRESS),
      1n,
      0n,
      0n,
    ]);
    const sorted = [...plan.segments].sort((a, b) => a.address - b.address);
    for (const [index, { address, memoryBytes }] of sorted.slice(0, -1).entries())
      expect(address + memoryBytes).toBeLessThanOrEqual(sorted[index + 1]?.address ?? 0);
  });

  it('starts firmware alone, an ELF executable where its headers say', () => {
    const file = makeElf({
      entry: 0xffff_0010n,
      physicalAddress: 0x8010_0000,
      virtualAddress: 0xffff_0000n,
      bytes: new Uint8Array(64),
      memoryBytes: 4096,
    });
    const plan = planBoot({ ...base, firmware: file });
    expect([plan.mode, plan.entry, plan.kernelFormat]).toEqual(['machine', 0x8010_0010, 'none']);
  });

  it.each([
    ['outside of RAM', 0x1000, 16, /linked to 0x1000; RAM begins at 0x80000000/, 'machine.image-format'],
    ['too large', 0x8000_0000, 65 * MIB, /needs 65 MiB of RAM/, 'machine.image-too-large'],
    [
      'where the kernel goes',
      0x8010_0000,
      2 * MIB,
      /behind the start of the kernel/,
      'machine.image-too-large',
    ],
  ])('refuses firmware that is %s', (_, physicalAddress, memoryBytes, message, code) => {
    const bytes = new Uint8Array(16);
    const firmware = makeElf({ entry: BigInt(physicalAddress), physicalAddress, bytes, memoryBytes });
    const attempt = () => planBoot({ ...base, kernel, firmware });
    expect(attempt).toThrow(message);
    expect(attempt).toThrow(expect.objectContaining({ code }));
  });

  it('refuses an empty file as firmware, and a boot of nothing', () => {
    expect(() => planBoot({ ...base, firmware: new Uint8Array() })).toThrow(/empty file/);
    expect(() => planBoot(base)).toThrow(/neither a kernel nor firmware/);
  });

  it('says how much RAM is needed, and that much suffices', () => {
    const initrd = new Uint8Array(70 * MIB);
    const attempt = (memoryMib: number) => planBoot({ ...base, kernel, initrd, memoryMib });
    let message = '';
    try {
      attempt(64);
    } catch (error) {
      expect(error).toMatchObject({ code: 'machine.image-too-large' });
      message = String(error);
    }
    const needed = Number(/at least (\d+) MiB/.exec(message)?.[1]);
    expect(() => attempt(needed)).not.toThrow();
    expect(() => attempt(needed - 2)).toThrow(/do not fit into/);
  });

  it('refuses a compressed kernel that would unpack to more than RAM, without unpacking it', () => {
    const bomb = gzipSync(new Uint8Array(40 * MIB));
    expect(() => planBoot({ kernel: bomb, memoryMib: 32, bootArguments: '' })).toThrow(
      expect.objectContaining({ code: 'machine.image-too-large' }),
    );
  });

  it('places an ELF kernel where it says, and one linked to address 0 where kernels go', () => {
    const bytes = Uint8Array.of(0x13);
    const bare = makeElf({ entry: 0x8000_0004n, physicalAddress: 0x8000_0000, bytes, memoryBytes: 64 });
    expect(planBoot({ ...base, kernel: bare })).toMatchObject({ kernelFormat: 'elf', entry: 0x8000_0004 });
    const virtualAddress = 0xffff_ffff_8000_0000n;
    const vmlinux = makeElf({
      entry: virtualAddress + 2n,
      physicalAddress: 0,
      virtualAddress,
      bytes,
      memoryBytes: 64,
    });
    expect(planBoot({ ...base, kernel: vmlinux }).entry).toBe(KERNEL_ADDRESS + 2);
    const lost = makeElf({ entry: 0x9000_0000n, physicalAddress: 0x8000_0000, bytes, memoryBytes: 64 });
    expect(() => planBoot({ ...base, kernel: lost })).toThrow(/entry point/);
  });

  const arm64 = kernel.slice();
  arm64.set(new TextEncoder().encode('ARMd'), 0x38);
  const bigEndian = kernel.slice();
  bigEndian[24] = 1;
  const x86 = new Uint8Array(0x400);
  x86.set(new TextEncoder().encode('HdrS'), 0x202);
  it.each<[string, Uint8Array, RegExp]>([
    ['for arm64', arm64, /arm64.*riscv64/],
    ['for x86-64', x86, /x86-64.*riscv64/],
    ['for arm64 by its EFI headers', makeZboot(gzipSync(kernel), 'gzip', 0xaa64), /arm64.*riscv64/],
    ['of big-endian order', bigEndian, /big-endian/],
    ['cut short', kernel.subarray(0, 0x4fff), /truncated: 20479 bytes of the 20480/],
    ['cut within its headers', kernel.subarray(0, 0x50), /truncated/],
    ['compressed and cut short', gzipSync(kernel).subarray(0, 40), /gzip data is damaged or truncated/],
    ['with zstd data that is damaged', zstdCompressSync(kernel).subarray(0, 20), /zstd data is damaged/],
    ['as zboot cut short', makeZboot(gzipSync(kernel), 'gzip').subarray(0, 0x210), /truncated/],
    ['as zboot in a compression not known', makeZboot(Uint8Array.of(1, 2, 3), 'xzkern'), /"xzkern"/],
    ['packed without end', gzipSync(gzipSync(gzipSync(gzipSync(kernel)))), /packed more than 3 times/],
    ['of text', new TextEncoder().encode('#!/bin/sh\n'.repeat(20)), /not a kernel image/],
    ['of nothing', new Uint8Array(0), /not a kernel image/],
  ])('refuses a kernel %s', (_title, file, message) => {
    const attempt = () => planBoot({ ...base, kernel: file });
    expect(attempt).toThrow(message);
    expect(attempt).toThrow(expect.objectContaining({ code: 'machine.image-format' }));
  });

  it('refuses a command line that the kernel would cut', () => {
    expect(() => planBoot({ ...base, kernel, bootArguments: 'x'.repeat(1024) })).toThrow(
      expect.objectContaining({ code: 'machine.boot-arguments' }),
    );
    expect(() => planBoot({ ...base, kernel, bootArguments: 'a\0b' })).toThrow(/command line/);
  });
});
