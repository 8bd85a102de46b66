/**
 * Reads binary packages of Debian (.deb) and what is compressed inside of them. dpkg-deb of the machine opens the
 * package (it knows every compression that a package may use), the tar stream inside is read here.
 * Source: deb(5) "FORMAT".
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { runCommand, streamCommand } from '../command.ts';
import { GuestImageError } from '../guest-image-error.ts';
import { readTar } from './tar.ts';

export interface DebianControl {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
}

/** A kernel's image is about 40 MB; nothing that is taken out of a package comes near this. */
const fileBytesMax = 256 * 1024 * 1024;
const moduleBytesMax = 32 * 1024 * 1024;
const readDeadlineMs = 120_000;

/**
 * The package's own name, version and architecture.
 * @throws GuestImageError image.corrupt when it is no Debian package
 */
export async function readDebianControl(path: string): Promise<DebianControl> {
  const result = await runCommand('dpkg-deb', ['--field', path, 'Package', 'Version', 'Architecture'], {
    deadlineMs: readDeadlineMs,
  });
  const field = (name: string): string =>
    new RegExp(`^${name}: (\\S+)$`, 'm').exec(result.stdout.toString('utf8'))?.[1] ?? '';
  const control = { name: field('Package'), version: field('Version'), architecture: field('Architecture') };
  if (result.exitCode !== 0 || control.name === '' || control.version === '') {
    throw new GuestImageError(
      'image.corrupt',
      `${basename(path)} is not a Debian package: ${lastLine(result.stderr)}`,
    );
  }
  return control;
}

/**
 * The regular files of a package whose path (`usr/bin/busybox`) is selected, by path.
 * @throws GuestImageError image.corrupt for a damaged package
 */
export async function readDebianFiles(
  path: string,
  select: (path: string) => boolean,
): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  const consume = async (output: AsyncIterable<Uint8Array>): Promise<void> => {
    for await (const file of readTar(output, select, fileBytesMax)) files.set(file.path, file.data);
    // The tar's end comes before the stream's: the padding must be drained, or dpkg-deb dies of a broken pipe.
    for await (const _ of output);
  };
  const result = await streamCommand(
    'dpkg-deb',
    ['--fsys-tarfile', path],
    { deadlineMs: readDeadlineMs },
    consume,
  );
  if (result.exitCode !== 0) {
    throw new GuestImageError('image.corrupt', `${basename(path)} is damaged: ${lastLine(result.stderr)}`);
  }
  return files;
}

/**
 * Decompresses a file by the suffix of its name: .gz, .zst, .xz, or none.
 * @throws GuestImageError image.corrupt when the data is not what the suffix says
 */
export async function decompress(name: string, data: Uint8Array): Promise<Uint8Array> {
  try {
    if (name.endsWith('.gz')) return gunzipSync(data, { maxOutputLength: moduleBytesMax });
    if (name.endsWith('.zst')) return zstdDecompressSync(data, { maxOutputLength: moduleBytesMax });
    if (name.endsWith('.xz')) return await decompressXz(data);
    return data;
  } catch (cause) {
    if (cause instanceof GuestImageError && cause.code !== 'image.corrupt') throw cause;
    throw new GuestImageError('image.corrupt', `${basename(name)} cannot be decompressed`, { cause });
  }
}

/**
 * Node has no xz, and a machine need not have the xz program; but dpkg-deb can decompress xz everywhere: whatever
 * stands as data.tar.xz in a package comes out of it decompressed.
 */
async function decompressXz(data: Uint8Array): Promise<Uint8Array> {
  const folder = await mkdtemp(join(tmpdir(), 'skein-xz-'));
  try {
    const wrapped = join(folder, 'wrapped.deb');
    const archive = writeAr([
      { name: 'debian-binary', data: Buffer.from('2.0\n', 'latin1') },
      { name: 'control.tar', data: new Uint8Array(1024) },
      { name: 'data.tar.xz', data },
    ]);
    await writeFile(wrapped, archive);
    const result = await runCommand('dpkg-deb', ['--fsys-tarfile', wrapped], {
      deadlineMs: readDeadlineMs,
      outputBytesMax: moduleBytesMax,
    });
    if (result.exitCode !== 0) throw new GuestImageError('image.corrupt', lastLine(result.stderr));
    return result.stdout;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** An ar archive: "!<arch>", then per member a header of 60 bytes and its data, padded to an even length. */
function writeAr(members: readonly { readonly name: string; readonly data: Uint8Array }[]): Uint8Array {
  const parts: Uint8Array[] = [Buffer.from('!<arch>\n', 'latin1')];
  for (const { name, data } of members) {
    const head = `${name.padEnd(16)}${'0'.padEnd(12)}${'0'.padEnd(6)}${'0'.padEnd(6)}${'100644'.padEnd(8)}${String(
      data.length,
    ).padEnd(10)}\`\n`;
    parts.push(Buffer.from(head, 'latin1'), data);
    if (data.length % 2 === 1) parts.push(Buffer.from('\n', 'latin1'));
  }
  return Buffer.concat(parts);
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}
