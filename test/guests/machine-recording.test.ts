/** A Linux guest with a disk, recorded and replayed: console, time and what it read from its disk. */

import { execFile } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { ensureGuestImage } from '@skein/guests';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const main = resolve(import.meta.dirname, '../../packages/cli/src/main.ts');
const execute = promisify(execFile);

let folder = '';
const file = (name: string): string => join(folder, name);

async function skein(...args: string[]): Promise<{ stdout: string; stderr: string }> {
  return await execute(process.execPath, [main, 'machine', ...args], { maxBuffer: 64 << 20 });
}

/** The guest reads its disk, writes to it and says what it then holds. */
const script = [
  'modprobe virtio_blk',
  'head -c 16 /dev/vda | od -c',
  'echo written-by-the-guest > /dev/vda',
  'sync',
  'head -c 20 /dev/vda',
  'cat /proc/sys/kernel/random/boot_id',
  'poweroff',
  '',
].join('\n');

beforeAll(async () => {
  await ensureGuestImage({});
  folder = mkdtempSync(join(tmpdir(), 'skein-machine-recording-'));
  writeFileSync(file('before'), Buffer.alloc(1 << 20, 'as it was before. '));
  copyFileSync(file('before'), file('disk'));
  const run = execute(
    process.execPath,
    [main, 'machine', 'run', '--disk', file('disk'), '--record', file('run.skl')],
    { maxBuffer: 64 << 20 },
  );
  run.child.stdin?.end(script);
  const { stdout } = await run;
  writeFileSync(file('console'), stdout);
}, 180_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('a recorded run of Linux', () => {
  it('replays to its last byte of output and its last bit of state, on a copy of its disk from before', async () => {
    const { stdout, stderr } = await skein('replay', file('run.skl'), '--disk', file('before'));
    expect(stdout).toContain('written-by-the-guest');
    const { stdout: recorded } = await execute('cat', [file('console')], { maxBuffer: 64 << 20 });
    expect(stdout).toBe(recorded);
    expect(stderr).toMatch(/^step \d+, . mode, off, state hash 0x[0-9a-f]+\n/);
  });

  it('is refused on its disk as it is now, with what to do', async () => {
    await expect(skein('replay', file('run.skl'))).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/disk 0 does not hold what the recording began with.*--disk/),
    });
  });

  it('has the same state at a step in its middle, however often one goes there', async () => {
    const at = async (step: string): Promise<unknown> =>
      JSON.parse(
        (await skein('replay', file('run.skl'), '--disk', file('before'), '--until', step, '--json')).stdout,
      );
    const first = await at('300000000');
    expect(first).toMatchObject({ steps: '300000000', isOff: false });
    expect(await at('300000000')).toEqual(first);
  });
});
