import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { GuestImageError } from '../guest-image-error.ts';
import { type CpioEntry, writeCpio } from './cpio.ts';

const entries: readonly CpioEntry[] = [
  { kind: 'directory', path: 'bin', mode: 0o755 },
  { kind: 'file', path: 'bin/tool', mode: 0o755, data: Buffer.from('12345') },
  { kind: 'symlink', path: 'bin/sh', target: 'tool' },
  { kind: 'directory', path: 'dev', mode: 0o755 },
  { kind: 'character-device', path: 'dev/console', mode: 0o600, major: 5, minor: 1 },
];

interface Member {
  readonly path: string;
  readonly mode: number;
  readonly time: number;
  readonly device: readonly [number, number];
  readonly data: string;
}

/** Reads an archive back as buffer-format.rst describes it, independently of the writer. */
function readCpio(archive: Uint8Array): Member[] {
  const buffer = Buffer.from(archive);
  const members: Member[] = [];
  let offset = 0;
  for (;;) {
    const header = buffer.toString('latin1', offset, offset + 110);
    expect(header.slice(0, 6)).toBe('070701');
    const field = (index: number): number => Number.parseInt(header.slice(6 + index * 8, 14 + index * 8), 16);
    const nameBytes = field(11);
    const path = buffer.toString('utf8', offset + 110, offset + 110 + nameBytes - 1);
    const dataStart = Math.ceil((offset + 110 + nameBytes) / 4) * 4;
    if (path === 'TRAILER!!!') return members;
    members.push({
      path,
      mode: field(1),
      time: field(5),
      device: [field(9), field(10)],
      data: buffer.toString('utf8', dataStart, dataStart + field(6)),
    });
    offset = Math.ceil((dataStart + field(6)) / 4) * 4;
  }
}

describe('writeCpio', () => {
  test('writes modes, contents, targets and device numbers where the format has them', () => {
    expect(readCpio(writeCpio(entries))).toEqual([
      { path: 'bin', mode: 0o040755, time: 0, device: [0, 0], data: '' },
      { path: 'bin/sh', mode: 0o120777, time: 0, device: [0, 0], data: 'tool' },
      { path: 'bin/tool', mode: 0o100755, time: 0, device: [0, 0], data: '12345' },
      { path: 'dev', mode: 0o040755, time: 0, device: [0, 0], data: '' },
      { path: 'dev/console', mode: 0o020600, time: 0, device: [5, 1], data: '' },
    ]);
  });

  test('gives the same bytes whatever the order of its entries', () => {
    const expected = writeCpio(entries);
    fc.assert(
      fc.property(fc.shuffledSubarray([...entries], { minLength: entries.length }), (shuffled) => {
        expect(writeCpio(shuffled)).toEqual(expected);
      }),
      { numRuns: 20 },
    );
  });

  test('is read by the cpio program of this machine, where there is one', (context) => {
    let listing: string;
    try {
      listing = execFileSync('cpio', ['--list', '--quiet'], { input: writeCpio(entries), encoding: 'utf8' });
    } catch (cause) {
      if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT')
        return context.skip('no cpio here');
      throw cause;
    }
    expect(listing.trim().split('\n')).toEqual(['bin', 'bin/sh', 'bin/tool', 'dev', 'dev/console']);
  });

  test.each([
    ['an absolute path', '/etc'],
    ['a path that climbs', 'bin/../etc'],
    ['an empty path', ''],
    ['the name of the trailer', 'TRAILER!!!'],
    ['a path whose folder is missing', 'usr/bin'],
    ['a path that occurs twice', 'bin'],
  ])('refuses %s', (_what, path) => {
    expect(() => writeCpio([...entries, { kind: 'directory', path, mode: 0o755 }])).toThrow(GuestImageError);
  });
});
