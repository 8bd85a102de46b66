/** `skein machine run --snapshot`: a machine that is left, and goes on later as if nothing had been. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { ensureGuestImage } from '@skein/guests';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../support/until.ts';

const main = resolve(import.meta.dirname, '../../packages/cli/src/main.ts');
const folder = mkdtempSync(join(tmpdir(), 'skein-snapshot-'));
const state = join(folder, 'state');
const disk = join(folder, 'disk');
const children: ChildProcessWithoutNullStreams[] = [];
const waitMs = 60_000;

beforeAll(async () => {
  await ensureGuestImage({});
  writeFileSync(disk, Buffer.alloc(1 << 20));
});
afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

function start(...args: string[]) {
  const words = [main, 'machine', 'run', '--memory', '128', '--snapshot', state, '--disk', disk, ...args];
  const child = spawn(process.execPath, words);
  children.push(child);
  let said = '';
  const note = (text: string): void => {
    said += text.replaceAll('\r', '');
  };
  child.stdout.setEncoding('utf8').on('data', note);
  child.stderr.setEncoding('utf8').on('data', note);
  const ended = once(child, 'close').then(([code]) => code as number);
  return { child, ended, said: () => said };
}

/** Leaves a guest in whose memory, and on whose disk, something stands. */
async function leave(): Promise<void> {
  const { child, ended, said } = start();
  child.stdin.write(
    'echo in-memory >/tmp/note; echo on-disk | dd of=/dev/vda conv=fsync 2>/dev/null; echo wri""tten\n',
  );
  await until('it is written', () => /^written$/m.test(said()), waitMs);
  child.kill('SIGTERM');
  expect(await ended).toBe(130);
}

describe('a machine that is left', () => {
  it('goes on where it was, boots nothing, and is gone when its guest turns itself off', async () => {
    await leave();
    expect(statSync(state).mode & 0o777).toBe(0o600);
    const { child, ended, said } = start();
    child.stdin.end('cat /tmp/note; head -n 1 /dev/vda; cut -d. -f1 /proc/uptime\n');
    expect(await ended).toBe(0);
    expect(said()).toMatch(/^in-memory$/m);
    expect(said()).toMatch(/^on-disk$/m);
    expect(said()).not.toContain('Linux version');
    expect(existsSync(state)).toBe(false);
  }, 120_000);

  it('goes on beside no other disk, and from no damaged file, and nothing of either is changed', async () => {
    await leave();
    const [kept, content] = [readFileSync(state), readFileSync(disk)];
    writeFileSync(disk, Buffer.alloc(1 << 20, 1));
    const other = start();
    expect(await other.ended).toBe(125);
    expect(other.said()).toMatch(/was left beside other disks, or they have changed since/);
    writeFileSync(disk, content);
    for (const at of [3, 5000, kept.length - 100]) {
      const damaged = Buffer.from(kept);
      damaged.writeUInt8((damaged.readUInt8(at) + 1) % 256, at);
      writeFileSync(state, damaged);
      const { ended, said } = start();
      expect(await ended, said()).toBe(125);
      expect(readFileSync(state).equals(damaged)).toBe(true);
    }
    writeFileSync(state, kept);
    const smaller = start('--memory', '256');
    expect(await smaller.ended).toBe(125);
    expect(smaller.said()).toMatch(/machine with other memory/);
    expect(readFileSync(disk).equals(content)).toBe(true);
  }, 120_000);
});
