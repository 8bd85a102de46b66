/**
 * The files of a root disk: packages unpacked one over the other, and what a machine needs that no package brings, since no
 * maintainer script runs.
 */
import { chmod, copyFile, lstat, mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { absentAsUndefined } from '../cache-folder.ts';
import { runCommand } from '../command.ts';
import { GuestImageError } from '../guest-image-error.ts';
import { rootDiskInittab, rootDiskProfile, rootDiskShutdown } from '../initramfs/init.ts';
import type { LocalPackage } from '../packages/package.ts';

const unpackDeadlineMs = 120_000;
/** Directories in / that are links into /usr, whatever a package may still ship. */
const mergedFolders = ['bin', 'sbin', 'lib'] as const;
const folders = [
  'dev',
  'proc',
  'sys',
  'run',
  'tmp',
  'root',
  'etc',
  'var/log',
  'var/lib',
  'usr/lib/busybox',
] as const;

/** @throws GuestImageError image.corrupt for a damaged package */
export async function unpackTree(tree: string, packages: readonly LocalPackage[]): Promise<void> {
  for (const name of mergedFolders) {
    await mkdir(join(tree, 'usr', name), { recursive: true });
    await symlink(`usr/${name}`, join(tree, name));
  }
  for (const one of packages) await unpack(one, tree);
  for (const folder of folders) await mkdir(join(tree, folder), { recursive: true });
  await chmod(join(tree, 'tmp'), 0o1777);
  await addOurs(tree);
}

async function unpack({ name, path }: LocalPackage, tree: string): Promise<void> {
  // Unlike dpkg-deb --extract, tar can be told to go through links to directories.
  const shell =
    'dpkg-deb --fsys-tarfile "$1" | tar --extract --directory "$2" --keep-directory-symlink --no-same-owner';
  const args = ['-o', 'pipefail', '-c', shell, 'unpack', path, tree];
  const { exitCode, stderr } = await runCommand('bash', args, { deadlineMs: unpackDeadlineMs });
  if (exitCode === 0) return;
  throw new GuestImageError(
    'image.corrupt',
    `${name} cannot be unpacked: ${stderr.trim().split('\n').at(-1)}`,
  );
}

async function addOurs(tree: string): Promise<void> {
  const masters = join(tree, 'usr/share/base-passwd');
  await copyFile(join(masters, 'passwd.master'), join(tree, 'etc/passwd'));
  await copyFile(join(masters, 'group.master'), join(tree, 'etc/group'));
  await link(tree, 'usr/bin/sh', 'dash');
  // busybox' init reaps orphans, answers poweroff, and starts the shell anew when it ends.
  await link(tree, 'usr/sbin/init', '../bin/busybox');
  await writeFile(join(tree, 'etc/inittab'), rootDiskInittab);
  await writeFile(join(tree, 'etc/profile'), rootDiskProfile);
  await writeFile(join(tree, 'etc/skein-shutdown'), rootDiskShutdown, { mode: 0o755 });
  await writeFile(join(tree, 'etc/hosts'), '127.0.0.1 localhost\n');
}

/** Unless a package has brought it. */
async function link(tree: string, path: string, target: string): Promise<void> {
  const place = join(tree, path);
  if ((await absentAsUndefined(lstat(place))) !== undefined) return;
  await mkdir(dirname(place), { recursive: true });
  await symlink(target, place);
}
