/**
 * The guest's root file system, which is its initramfs and stays in memory: busybox, the modules, the init scripts and the workloads.
 */

import type { KernelModule } from '../kernel.ts';
import { type CpioEntry, writeCpio } from './cpio.ts';
import { diskModulesFolder, initScript, inittab, profile } from './init.ts';

export interface InitramfsContents {
  /** A static busybox for riscv64. */
  readonly busybox: Uint8Array;
  /** In loading order. */
  readonly modules: readonly KernelModule[];
  /** Static programs for /bin. */
  readonly programs: readonly { readonly name: string; readonly elf: Uint8Array }[];
}

const directories = ['bin', 'dev', 'etc', 'lib', 'lib/modules', 'proc', 'root', 'run', 'sys', 'tmp', 'var'];

/**
 * What init needs for a root on a disk, as an archive of its own: the kernel unpacks archives that stand one behind
 * the other. Apart, because guests without a disk should not carry it in their memory.
 * Source: Linux, Documentation/driver-api/early-userspace/buffer-format.rst.
 */
export function buildDiskModules(modules: readonly KernelModule[]): Uint8Array {
  const parents = ['lib', 'lib/modules', `lib/modules/${diskModulesFolder}`];
  return writeCpio([
    ...parents.map((path): CpioEntry => ({ kind: 'directory', path, mode: 0o755 })),
    ...moduleFiles(`lib/modules/${diskModulesFolder}`, modules),
  ]);
}

/** The cpio archive; equal contents give equal bytes. */
export function buildInitramfs(contents: InitramfsContents): Uint8Array {
  const entries: CpioEntry[] = [
    ...directories.map(
      (path): CpioEntry => ({ kind: 'directory', path, mode: path === 'tmp' ? 0o1777 : 0o755 }),
    ),
    // The kernel opens its first program's console before that program can mount /dev.
    { kind: 'character-device', path: 'dev/console', mode: 0o600, major: 5, minor: 1 },
    { kind: 'character-device', path: 'dev/null', mode: 0o666, major: 1, minor: 3 },
    { kind: 'file', path: 'bin/busybox', mode: 0o755, data: contents.busybox },
    // Enough to run init, which asks busybox itself for the other links: only it knows its applets.
    { kind: 'symlink', path: 'bin/sh', target: 'busybox' },
    ...contents.programs.map(
      (program): CpioEntry => ({ kind: 'file', path: `bin/${program.name}`, mode: 0o755, data: program.elf }),
    ),
    ...moduleFiles('lib/modules', contents.modules),
    script('init', initScript),
    text('etc/inittab', inittab),
    text('etc/profile', profile),
    text('etc/passwd', 'root::0:0:root:/root:/bin/sh\n'),
    text('etc/group', 'root:x:0:\n'),
  ];
  return writeCpio(entries);
}

/** The modules, and the order in which they are loaded. */
function moduleFiles(folder: string, modules: readonly KernelModule[]): CpioEntry[] {
  return [
    ...modules.map(
      ({ name, data }): CpioEntry => ({ kind: 'file', path: `${folder}/${name}.ko`, mode: 0o644, data }),
    ),
    text(`${folder}/order`, modules.map(({ name }) => `${name}\n`).join('')),
  ];
}

function text(path: string, content: string): CpioEntry {
  return { kind: 'file', path, mode: 0o644, data: Buffer.from(content, 'utf8') };
}

function script(path: string, content: string): CpioEntry {
  return { kind: 'file', path, mode: 0o755, data: Buffer.from(content, 'utf8') };
}
