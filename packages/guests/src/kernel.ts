/**
 * Takes an unmodified Debian kernel out of its packages: the boot image, its version, and those modules that the
 * guest needs on this board, with what they depend on, in an order in which they can be loaded.
 * Debian 13 keeps both in linux-image-<version> (`boot/vmlinux-<version>`); later releases split them into
 * linux-binary-<version> (`usr/lib/modules/<version>/vmlinuz`) and linux-modules-<version>.
 * Source: Linux, Documentation/arch/riscv/boot-image-header.rst, "Boot image header in RISC-V Linux".
 */
import { basename } from 'node:path';
import { GuestImageError } from './guest-image-error.ts';
import { type ModuleInfo, moduleName, readModuleInfo, withoutSignature } from './kernel-module.ts';
import { decompress, readDebianFiles } from './packages/debian-archive.ts';

/** The board's transport and devices. A guest without one of these could not do its work. */
const requiredModules = ['virtio_mmio', 'virtio_net', 'virtio_blk'] as const;
/** Loaded where they are modules, not missed where they are built in or absent. */
const optionalModules = [
  'virtio_rng',
  'virtio_balloon',
  'virtio_console',
  'af_packet',
  'rtc_goldfish',
] as const;

/** Loaded only where the root is on a disk; a kernel without them starts no such guest. */
export const diskModules = ['ext4'] as const;

/** All that every guest loads; what they depend on comes along. */
export const guestModules: readonly string[] = [...requiredModules, ...optionalModules];

export interface KernelModule {
  readonly name: string;
  /** Uncompressed and without signature: the guest should not spend its time on either. */
  readonly data: Uint8Array;
}

export interface GuestKernel {
  /** As `uname -r` says. */
  readonly version: string;
  /** A flat Image with the header of the RISC-V boot protocol. */
  readonly image: Uint8Array;
  /** In loading order: what a module depends on stands before it. */
  readonly modules: readonly KernelModule[];
  /** What a root on a disk needs beyond those, in loading order. */
  readonly diskModules: readonly KernelModule[];
  /** It has a driver for ports of a virtio console, as a module or built in. */
  readonly hasConsolePorts: boolean;
}

/**
 * The name of that driver's class of devices. Debian's packages list no built-in drivers any more, so the kernel itself is
 * looked through.
 */
const consolePortsClass = 'virtio-ports';

const kernelPath = /^(?:boot\/vmlinu[xz]-|usr\/lib\/modules\/|lib\/modules\/)([\w.+~-]+?)(?:\/vmlinu[xz])?$/;
const modulePath = /^(?:usr\/)?lib\/modules\/[^/]+\/kernel\/(?:.*\/)?([\w-]+)\.ko(?:\.(?:xz|zst|gz))?$/;
/** A module's dependencies are few levels deep; more means that they go round in circles. */
const passesMax = 8;

/**
 * @param packagePaths the kernel's .deb files
 * @throws GuestImageError image.corrupt when they hold no usable kernel, or lack a module that is needed
 */
export async function readGuestKernel(packagePaths: readonly string[]): Promise<GuestKernel> {
  const { version, image } = await readKernelImage(packagePaths);
  const builtIn = new Set<string>();
  const found = new Map<string, { info: ModuleInfo; data: Uint8Array }>();
  let wanted = new Set<string>([...guestModules, ...diskModules]);
  // Each pass reads a package of 120 MB once; dependencies become known only when a module was read.
  for (let pass = 0; wanted.size > 0; pass++) {
    if (pass === passesMax)
      throw new GuestImageError('image.corrupt', 'kernel modules depend on each other endlessly');
    const requested = wanted;
    wanted = new Set();
    for (const packagePath of packagePaths) {
      const files = await readDebianFiles(
        packagePath,
        (path) =>
          path.endsWith(`/modules/${version}/modules.builtin`) ||
          (path.includes(`/modules/${version}/`) &&
            requested.has(moduleName(modulePath.exec(path)?.[1] ?? ''))),
      );
      for (const [path, data] of files) {
        if (path.endsWith('/modules.builtin')) {
          for (const name of parseBuiltIn(Buffer.from(data).toString('utf8'))) builtIn.add(name);
          continue;
        }
        const elf = await decompress(path, data);
        const info = readModuleInfo(elf);
        found.set(info.name, { info, data: withoutSignature(elf) });
        for (const dependency of info.dependsOn) wanted.add(dependency);
      }
    }
    for (const name of found.keys()) wanted.delete(name);
  }
  for (const name of requiredModules) {
    if (!found.has(name) && !builtIn.has(name)) {
      throw new GuestImageError('image.corrupt', `the kernel packages of ${version} hold no module ${name}`);
    }
  }
  const hasConsolePorts = found.has('virtio_console') || hasConsolePortsBuiltIn(image);
  const modules = inLoadingOrder(guestModules, found);
  const loaded = new Set(modules.map(({ name }) => name));
  return {
    version,
    image,
    modules,
    diskModules: inLoadingOrder(diskModules, found).filter(({ name }) => !loaded.has(name)),
    hasConsolePorts,
  };
}

/** Of a kernel that lists nothing of what it has. */
export function hasConsolePortsBuiltIn(image: Uint8Array): boolean {
  return Buffer.from(image.buffer, image.byteOffset, image.length).includes(consolePortsClass);
}

async function readKernelImage(packagePaths: readonly string[]): Promise<{ version: string; image: Buffer }> {
  for (const packagePath of packagePaths) {
    const files = await readDebianFiles(packagePath, (path) => isKernelPath(path));
    for (const [path, data] of files) {
      const version = kernelPath.exec(path)?.[1] ?? '';
      requireBootImage(path, data);
      return { version, image: Buffer.from(data.buffer, data.byteOffset, data.length) };
    }
  }
  const names = packagePaths.map((path) => basename(path)).join(', ');
  throw new GuestImageError('image.corrupt', `no kernel image in ${names}`);
}

function isKernelPath(path: string): boolean {
  return kernelPath.test(path) && /vmlinu[xz]/.test(path);
}

/**
 * A compressed (EFI zboot) kernel would need firmware to unpack it; the board boots flat images only.
 * @throws GuestImageError image.corrupt
 */
export function requireBootImage(path: string, image: Uint8Array): void {
  const magic = Buffer.from(image.subarray(0x38, 0x3c)).toString('latin1');
  if (magic !== 'RSC\x05') {
    throw new GuestImageError('image.corrupt', `${path} is not a flat RISC-V kernel image`);
  }
}

/** Lines such as `kernel/drivers/virtio/virtio_mmio.ko`. */
function parseBuiltIn(text: string): string[] {
  return text.split('\n').flatMap((line) => {
    const name = /([\w-]+)\.ko$/.exec(line)?.[1];
    return name === undefined ? [] : [moduleName(name)];
  });
}

/**
 * Depth first, by name among equals, so that the same modules always come in the same order.
 * What is not among the found ones is built in.
 */
function inLoadingOrder(
  names: readonly string[],
  found: ReadonlyMap<string, { info: ModuleInfo; data: Uint8Array }>,
): KernelModule[] {
  const ordered: KernelModule[] = [];
  const visited = new Set<string>();
  const visit = (name: string): void => {
    const module = found.get(name);
    if (module === undefined || visited.has(name)) return;
    visited.add(name);
    for (const dependency of [...module.info.dependsOn].sort()) visit(dependency);
    ordered.push({ name, data: module.data });
  };
  for (const name of names) visit(name);
  return ordered;
}
