/** `skein machine run` whose input is no keyboard: it ends behind it, unless the guest has something else to do. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { ensureGuestImage } from '@skein/guests';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { QemuProcess, qemuBoardArguments } from '../support/qemu.ts';
import { until } from '../support/until.ts';

const main = resolve(import.meta.dirname, '../../packages/cli/src/main.ts');

let folder = '';

beforeAll(async () => {
  await ensureGuestImage({});
  folder = mkdtempSync(join(tmpdir(), 'skein-machine-run-'));
});

const children: ChildProcess[] = [];
afterAll(() => {
  // Whatever failed: no guest outlives its tests.
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

/** No two sectors alike. */
function noise(sectors: number): Buffer {
  return Buffer.from(Uint32Array.from({ length: sectors * 128 }, (_, index) => index * 2_654_435_761).buffer);
}

/** Of Debian's package opensbi. */
const openSbi = '/usr/lib/riscv64-linux-gnu/opensbi/generic/fw_dynamic.bin';

/** Its input is given whole, and ends. */
function run(input: string, ...args: string[]) {
  const child = spawn(process.execPath, [main, 'machine', 'run', ...args]);
  children.push(child);
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  child.stdin.end(input);
  const ended = once(child, 'close').then(([code, signal]) => (signal as string | null) ?? (code as number));
  return { child, ended, text: () => text };
}

describe('a machine on its own', () => {
  it('boots and powers off where there is no input at all', async () => {
    const { ended, text } = run('');
    expect(await ended).toBe(0);
    expect(text()).toContain('skein-guest: ready');
  }, 60_000);

  it('does what is piped to it before it powers off, a last line without an end included', async () => {
    const { ended, text } = run('sleep 1; echo $((40 + 2))\necho last $((6 * 7))');
    expect(await ended).toBe(0);
    expect(text()).toMatch(/^42\r$[\s\S]*^last 42\r$/m);
  }, 60_000);

  it.skipIf(!existsSync(openSbi))(
    'boots on OpenSBI, which runs in M mode, instead of the built-in SBI',
    async () => {
      const { digest } = await ensureGuestImage({});
      const { ended, text } = run(
        'dmesg | grep -o "SBI implementation.*"\n',
        '--bios',
        openSbi,
        '--image',
        digest,
      );
      expect(await ended).toBe(0);
      expect(text()).toMatch(/^OpenSBI v\d/m);
      expect(text()).toContain('Domain0 Next Address      : 0x0000000080200000');
      // 1 is OpenSBI's number. Source: RISC-V SBI Specification 2.0, "SBI Implementation IDs".
      expect(text()).toMatch(/^SBI implementation ID=0x1 /m);
    },
    60_000,
  );

  it('goes on without input while it has a workload', async () => {
    const { child, ended, text } = run('', '--append', 'skein.run=ticker,100');
    await until('it ticks', () => /^t 20 /m.test(text()), 60_000);
    child.kill('SIGTERM');
    expect(await ended).toBe(130);
  }, 90_000);

  it('has files as disks, sector for sector, and writes to those that it may write to', async () => {
    const sectors = 2048;
    const content = noise(sectors);
    const [path, readOnlyPath] = [join(folder, 'disk'), join(folder, 'read-only')];
    writeFileSync(path, content);
    writeFileSync(readOnlyPath, content, { mode: 0o400 });
    const commands = [
      'dd if=/dev/vdb of=/dev/vda bs=512 skip=8 seek=1000 count=100 conv=fsync 2>/dev/null',
      'cat /sys/block/vda/size /sys/block/vda/ro /sys/block/vdb/ro | tr "\\n" " "; echo sizes',
      'dd if=/dev/zero of=/dev/vdb bs=512 count=1 2>/dev/null || echo protected',
      'blkdiscard -o 4096 -l 8192 /dev/vda && echo discarded',
    ];
    const { ended, text } = run(commands.join('\n'), '--disk', path, '--disk', `${readOnlyPath},ro`);
    expect(await ended).toBe(0);
    expect(text()).toMatch(/^2048 0 1 sizes\r?$/m);
    expect(text()).toMatch(/^protected\r?$/m);
    expect(text()).toMatch(/^discarded\r?$/m);
    const expected = Buffer.from(content);
    content.copy(expected, 1000 * 512, 8 * 512, 108 * 512);
    expected.fill(0, 4096, 4096 + 8192);
    expect(readFileSync(path).equals(expected)).toBe(true);
    expect(readFileSync(readOnlyPath).equals(content)).toBe(true);
  }, 60_000);

  it('leaves the same on a disk as the same guest in QEMU', async () => {
    const commands = [
      'dd if=/dev/vda of=/tmp/part bs=4k skip=3 count=200 2>/dev/null',
      'dd if=/tmp/part of=/dev/vda bs=512 seek=777 count=900 conv=fsync 2>/dev/null',
      'sha256sum /tmp/part | dd of=/dev/vda bs=1 seek=70001 conv=notrunc,fsync 2>/dev/null',
      'blkdiscard -o 1048576 -l 65536 /dev/vda && echo discarded',
    ];
    const [ours, theirs] = [join(folder, 'ours'), join(folder, 'theirs')];
    for (const path of [ours, theirs]) writeFileSync(path, noise(4096));
    const { ended, text } = run(commands.join('\n'), '--disk', ours);
    expect(await ended).toBe(0);
    expect(text()).toMatch(/^discarded\r?$/m);

    const image = await ensureGuestImage({});
    const qemu = QemuProcess.start([
      ...qemuBoardArguments,
      ...['-m', '128', '-kernel', image.kernelPath, '-initrd', image.initrdPath],
      ...['-append', image.defaultBootArguments],
      ...['-drive', `file=${theirs},format=raw,if=none,id=disk,discard=unmap`],
      ...['-device', 'virtio-blk-device,drive=disk'],
    ]);
    try {
      await qemu.waitFor(/^skein-guest: ready guest\r?$/m, 60_000);
      for (const command of commands) await qemu.ask(`${command}; echo $((40 + 2))`, /^42\r?$/m, 60_000);
      qemu.send('poweroff\n');
      expect(await qemu.exit(60_000)).toBe(0);
    } finally {
      await qemu.kill();
    }
    expect(readFileSync(ours).equals(readFileSync(theirs))).toBe(true);
    expect(readFileSync(ours).equals(noise(4096))).toBe(false);
  }, 180_000);

  it('gives up as much of its memory as it is asked to', async () => {
    const free = async (...args: string[]): Promise<number> => {
      const { ended, text } = run('sleep 3; grep MemFree /proc/meminfo', '--memory', '256', ...args);
      expect(await ended).toBe(0);
      return Number(/^MemFree:\s+(\d+) kB/m.exec(text())?.[1]);
    };
    const [all, rest] = [await free(), await free('--balloon', '80')];
    expect(all - rest).toBeGreaterThan(60 * 1024);
  }, 120_000);

  it('takes back what it needs of the memory that it was asked for, and lives', async () => {
    const { ended, text } = run('sleep 5; echo $((40 + 2))', '--memory', '128', '--balloon', '120');
    expect(await ended).toBe(0);
    expect(text()).toMatch(/^42\r?$/m);
  }, 120_000);
});
