import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RawDisk } from './raw-disk.ts';

const sectors = 600;
const size = sectors * 512;
let folder = '';
let path = '';
const open: RawDisk[] = [];
const errors: string[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'skein-disk-'));
  path = join(folder, 'disk');
});

afterEach(() => {
  for (const disk of open.splice(0)) disk.close();
  errors.length = 0;
  rmSync(folder, { recursive: true });
});

function openDisk(isReadOnly = false): RawDisk {
  const disk = new RawDisk({ path, isReadOnly, onError: (message) => errors.push(message) });
  open.push(disk);
  return disk;
}

const noise = (length: number, seed: number): Uint8Array =>
  Uint8Array.from({ length }, (_, index) => (index * 31 + seed * 7 + (index >> 8)) & 0xff);

describe('a raw disk', () => {
  it('is its file, sector for sector, whatever is done to it', () => {
    const range = fc.record({ at: fc.nat(sectors - 1), count: fc.nat(300), seed: fc.nat(255) });
    const action = fc.record({ type: fc.constantFrom('write', 'zero', 'read', 'flush'), range });
    fc.assert(
      fc.property(fc.array(action, { maxLength: 20 }), (actions) => {
        const expected = noise(size, 1);
        writeFileSync(path, expected);
        const disk = openDisk();
        expect(disk.capacityBytes).toBe(size);
        for (const { type, range: one } of actions) {
          const offset = one.at * 512;
          const length = Math.min(one.count, sectors - one.at) * 512;
          if (type === 'write') {
            disk.write(offset, noise(length, one.seed));
            expected.set(noise(length, one.seed), offset);
          } else if (type === 'zero') {
            disk.zero(offset, length);
            expected.fill(0, offset, offset + length);
          } else if (type === 'read') {
            const target = new Uint8Array(length);
            disk.read(offset, target);
            expect(Buffer.compare(target, expected.subarray(offset, offset + length))).toBe(0);
          } else disk.flush();
        }
        expect(readFileSync(path).equals(expected)).toBe(true);
      }),
      { numRuns: 40 },
    );
  });

  it('stays sparse when all of it is zeroed', () => {
    writeFileSync(path, '');
    truncateSync(path, 64 * 1024 * 1024);
    const before = statSync(path).blocks;
    openDisk().zero(0, 64 * 1024 * 1024);
    expect(statSync(path).blocks).toBe(before);
  });

  it('says once why its host failed, and fails each time', () => {
    writeFileSync(path, noise(size, 1));
    const disk = openDisk();
    truncateSync(path, 512);
    const read = (): void => disk.read(512, new Uint8Array(512));
    expect(read).toThrow();
    expect(read).toThrow();
    expect(errors).toEqual([expect.stringMatching(/disk: the file has become shorter; the guest sees/)]);
  });

  it('for reading alone needs no right to write and has none', () => {
    writeFileSync(path, noise(size, 1), { mode: 0o400 });
    const disk = openDisk(true);
    disk.read(0, new Uint8Array(512));
    expect(() => disk.write(0, new Uint8Array(512))).toThrow();
  });

  it.each([
    ['that is not there', () => {}, 'config.unreadable', /cannot read and write .*ENOENT/],
    ['that is empty', () => writeFileSync(path, ''), 'request.invalid', /has 0 bytes/],
    [
      'of half a sector',
      () => writeFileSync(path, new Uint8Array(700)),
      'request.invalid',
      /whole sectors of 512/,
    ],
    ['that is a named pipe', () => execFileSync('mkfifo', [path]), 'request.invalid', /no regular file/],
  ])('is refused for a file %s', (_, make, code, message) => {
    make();
    expect(openDisk).toThrow(expect.objectContaining({ code }));
    expect(openDisk).toThrow(message);
  });
});
