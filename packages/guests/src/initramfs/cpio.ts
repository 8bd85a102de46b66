/**
 * Writes a cpio archive in the "new ASCII" format that Linux unpacks as its initramfs. Owner is always root and
 * every time is 0, and entries are sorted, so that equal contents give equal bytes; device nodes cost no
 * privileges, since they are only numbers in the archive.
 * Source: Linux, Documentation/driver-api/early-userspace/buffer-format.rst, "Initramfs buffer format".
 * Omitted: hard links and the CRC variant (070702); the kernel needs neither.
 */
import { GuestImageError } from '../guest-image-error.ts';

export type CpioEntry =
  | { readonly kind: 'directory'; readonly path: string; readonly mode: number }
  | { readonly kind: 'file'; readonly path: string; readonly mode: number; readonly data: Uint8Array }
  | { readonly kind: 'symlink'; readonly path: string; readonly target: string }
  | {
      readonly kind: 'character-device';
      readonly path: string;
      readonly mode: number;
      readonly major: number;
      readonly minor: number;
    };

const typeBits = {
  directory: 0o040000,
  file: 0o100000,
  symlink: 0o120000,
  'character-device': 0o020000,
} as const satisfies Record<CpioEntry['kind'], number>;

const magic = '070701';
const headerBytes = 110;
const trailer = 'TRAILER!!!';
/** A field is eight hexadecimal digits. */
const fieldMax = 0xffff_ffff;

/**
 * The archive's bytes; its length is a multiple of 4. Paths are relative, without a leading slash. Parents are
 * sorted before their children, as the kernel needs them.
 * @throws GuestImageError image.invalid for a path that is absolute, climbs, occurs twice or has no parent here
 */
export function writeCpio(entries: readonly CpioEntry[]): Uint8Array {
  const sorted = [...entries].sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  requireTree(sorted);
  const parts: Uint8Array[] = [];
  sorted.forEach((entry, index) => {
    parts.push(...encodeEntry(entry, index + 1));
  });
  parts.push(...encode(header({ inode: 0, mode: 0, links: 1, size: 0 }), trailer, new Uint8Array(0)));
  return Buffer.concat(parts);
}

function requireTree(sorted: readonly CpioEntry[]): void {
  const directories = new Set<string>();
  const seen = new Set<string>();
  for (const entry of sorted) {
    const segments = entry.path.split('/');
    if (entry.path === trailer || segments.some((part) => part === '' || part === '.' || part === '..')) {
      throw new GuestImageError(
        'image.invalid',
        `not a path for an initramfs: ${JSON.stringify(entry.path)}`,
      );
    }
    if (seen.has(entry.path)) {
      throw new GuestImageError('image.invalid', `the initramfs has ${entry.path} twice`);
    }
    seen.add(entry.path);
    const parent = segments.slice(0, -1).join('/');
    if (parent !== '' && !directories.has(parent)) {
      throw new GuestImageError(
        'image.invalid',
        `the initramfs has ${entry.path} but no directory ${parent}`,
      );
    }
    if (entry.kind === 'directory') directories.add(entry.path);
  }
}

function encodeEntry(entry: CpioEntry, inode: number): Uint8Array[] {
  switch (entry.kind) {
    case 'directory':
      return encode(
        header({ inode, mode: typeBits.directory | entry.mode, links: 2, size: 0 }),
        entry.path,
        new Uint8Array(0),
      );
    case 'file':
      return encode(
        header({ inode, mode: typeBits.file | entry.mode, links: 1, size: entry.data.length }),
        entry.path,
        entry.data,
      );
    case 'symlink': {
      const target = Buffer.from(entry.target, 'utf8');
      return encode(
        header({ inode, mode: typeBits.symlink | 0o777, links: 1, size: target.length }),
        entry.path,
        target,
      );
    }
    case 'character-device':
      return encode(
        header({
          inode,
          mode: typeBits['character-device'] | entry.mode,
          links: 1,
          size: 0,
          major: entry.major,
          minor: entry.minor,
        }),
        entry.path,
        new Uint8Array(0),
      );
  }
}

interface HeaderFields {
  readonly inode: number;
  readonly mode: number;
  readonly links: number;
  readonly size: number;
  readonly major?: number;
  readonly minor?: number;
}

/** All fields but the name's length, which `encode` fills in. */
function header(fields: HeaderFields): (nameBytes: number) => string {
  if (fields.size > fieldMax)
    throw new GuestImageError('image.invalid', 'a file of the initramfs exceeds 4 GiB');
  return (nameBytes) =>
    magic +
    [
      fields.inode,
      fields.mode,
      0, // uid
      0, // gid
      fields.links,
      0, // mtime
      fields.size,
      0, // major of the file system it came from
      0, // minor
      fields.major ?? 0,
      fields.minor ?? 0,
      nameBytes,
      0, // check sum, unused in this variant
    ]
      .map((field) => field.toString(16).padStart(8, '0'))
      .join('');
}

function encode(head: (nameBytes: number) => string, name: string, data: Uint8Array): Uint8Array[] {
  const nameWithNul = Buffer.from(`${name}\0`, 'utf8');
  return [
    Buffer.from(head(nameWithNul.length), 'latin1'),
    nameWithNul,
    padding(headerBytes + nameWithNul.length),
    data,
    padding(data.length),
  ];
}

function padding(length: number): Uint8Array {
  return new Uint8Array((4 - (length % 4)) % 4);
}
