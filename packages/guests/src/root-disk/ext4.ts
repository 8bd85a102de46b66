/**
 * A raw image with one ext4 file system that holds a copy of a folder; mke2fs fills it in, so that nobody mounts anything.
 * Equal folders give equal images, as far as mke2fs does.
 * Source: mke2fs(8), "-d root-directory"; e2fsprogs, "E2FSPROGS_FAKE_TIME".
 */
import { open, rename } from 'node:fs/promises';
import { runCommand } from '../command.ts';
import { GuestImageError } from '../guest-image-error.ts';

export interface Ext4Options {
  readonly tree: string;
  readonly path: string;
  /** On the same file system as `path`. */
  readonly temporaryPath: string;
  readonly sizeMib: number;
}

const deadlineMs = 300_000;
/** Of the file system and of its directories' hashes: no two disks need to be told apart by them. */
const fixedId = '5b1e6d3a-5ce1-4a3a-9c07-ce1f00d15c00';
const fakeTimeS = '1700000000';

/** @throws GuestImageError image.unavailable with mke2fs' own reason: it is absent, or the folder does not fit */
export async function makeExt4({ tree, path, temporaryPath, sizeMib }: Ext4Options): Promise<void> {
  const file = await open(temporaryPath, 'w');
  await file.truncate(sizeMib * 2 ** 20);
  await file.close();
  const mke2fs = [
    ...['mke2fs', '-q', '-F', '-t', 'ext4', '-d', tree, '-L', 'skein-root', '-U', fixedId],
    ...['-E', `hash_seed=${fixedId},root_owner=0:0`, temporaryPath],
  ];
  // Files should be root's, whoever makes the disk: in a user namespace they are.
  const words = process.getuid?.() === 0 ? mke2fs : ['unshare', '--user', '--map-root-user', ...mke2fs];
  const [program = '', ...args] = words;
  const environment = { E2FSPROGS_FAKE_TIME: fakeTimeS, PATH: `${process.env.PATH ?? ''}:/usr/sbin:/sbin` };
  const { exitCode, stderr } = await runCommand(program, args, { deadlineMs, environment });
  if (exitCode !== 0) {
    const reason = stderr.trim().split('\n').slice(-2).join(' ');
    const advice = /allocate block|No space/.test(stderr) ? '; a larger --size may do' : '';
    throw new GuestImageError(
      'image.unavailable',
      `no file system of ${sizeMib} MiB can be made for ${path}: ${reason}${advice}`,
    );
  }
  await rename(temporaryPath, path);
}
