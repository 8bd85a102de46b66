/**
 * The image with the small kernel, from its source on: compiled here, and then all that Debian's kernel is tested with where
 * a kernel matters. Minutes of compiling keep it out of `pnpm test`; run it by `pnpm test:small-kernel`.
 */
import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { ensureGuestImage, type GuestImage } from '@skein/guests';
import { loadCore } from '@skein/machine';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeRootDisk } from '../guests/debian-programs.ts';
import { describeImageInQemu } from '../guests/image-in-qemu.ts';
import { AgentBed } from '../support/agent-bed.ts';
import { isReady, LoneGuest } from '../support/lone-guest.ts';
import { QemuProcess, qemuBoardArguments } from '../support/qemu.ts';
import { until } from '../support/until.ts';

const run = promisify(execFile);
const main = resolve(import.meta.dirname, '../../packages/cli/src/main.ts');
const bootDeadlineMs = 60_000;
const answerDeadlineMs = 30_000;

let image: GuestImage;
beforeAll(async () => {
  image = await ensureGuestImage({ name: 'small' });
});

describe('the small kernel', () => {
  it('is a kernel of its own name, and its image says of what it was made', () => {
    expect(image).toMatchObject({ name: 'small', identityPort: 'skein.identity' });
    expect(image.kernelVersion).toMatch(/^6\.1\.\d+-skein-small$/);
    expect(image.packages.map(({ name }) => name)).toEqual(['busybox-static', 'linux-source-6.1']);
  });

  it('boots in a machine on its own, does what is piped to it, and turns itself off', async () => {
    const child = run(process.execPath, [main, 'machine', 'run', '--image', 'small', '--memory', '64']);
    child.child.stdin?.end(
      'uname -r; cat /proc/modules 2>&1 | wc -l; echo "no: $(dmesg | grep -ci "oops\\|bug:")"\n',
    );
    const { stdout } = await child;
    expect(stdout).toMatch(new RegExp(`^${image.kernelVersion}\\r$`, 'm'));
    expect(stdout).toMatch(/^no: 0\r$/m);
    expect(stdout).not.toMatch(/skein-guest: cannot|can't create|write error/);
  });

  it('has all devices of the board: balloon, random generator, clock', async () => {
    const core = await loadCore();
    const devices = {
      nics: [{ mac: '52:54:00:00:00:2a' }],
      rngSeed: new Uint8Array(32).fill(7),
      hasBalloon: true,
      rtcEpochSeconds: 1_800_000_000,
    };
    const guest = new LoneGuest({ core, memoryMib: 64, devices });
    guest.boot(image);
    guest.runUntil(() => isReady(guest));
    expect(guest.ask('ls -1 /sys/bus/virtio/drivers')).toMatch(
      /virtio_balloon[\s\S]*virtio_blk[\s\S]*virtio_console[\s\S]*virtio_net[\s\S]*virtio_rng/,
    );
    expect(guest.ask('cat /sys/class/misc/hw_random/rng_current')).toMatch(/virtio_rng/);
    expect(guest.ask('head -c 8 /dev/hwrng | wc -c')).toMatch(/^8$/m);
    expect(guest.ask('date -u +%Y')).toMatch(/^2027$/m);
    const freeKib = (): number => Number(/(\d+)/.exec(guest.ask('grep MemFree /proc/meminfo'))?.[1]);
    const before = freeKib();
    guest.machine.apply({ type: 'balloon', targetPages: 4096 });
    guest.ask('sleep 1');
    expect(before - freeKib()).toBeGreaterThan(12_000);
  });

  it('asks for an address by DHCP, if its command line says so', async () => {
    const guest = QemuProcess.start([
      ...qemuBoardArguments,
      ...['-m', '64', '-kernel', image.kernelPath, '-initrd', image.initrdPath],
      ...['-append', `${image.defaultBootArguments} ip=dhcp`],
      ...['-netdev', 'user,id=net', '-device', 'virtio-net-device,netdev=net'],
    ]);
    try {
      await guest.waitFor(
        /IP-Config: Got DHCP answer from 10\.0\.2\.2, my address is 10\.0\.2\.15/,
        bootDeadlineMs,
      );
      await guest.waitFor(/^skein-guest: ready guest\r?$/m, bootDeadlineMs);
    } finally {
      await guest.kill();
    }
  });
});

describe('guests with the small kernel on two hosts', () => {
  let bed: AgentBed;
  beforeAll(async () => {
    bed = await AgentBed.start(['h1', 'h2'], { imageName: 'small', guestMemoryMib: 64 });
  });
  afterAll(() => bed.close());

  it('start as clones of a template, each with a vNIC of its own, hear each other, and migrate', async () => {
    const first = await bed.bootVm('first', 'h1', 1);
    await until('it is the template', () => bed.report('h1', first)?.readyMs !== null);
    const clone = await bed.bootVm('clone', 'h1', 2);
    await until('its start is known', () => bed.report('h1', clone)?.startedFrom !== undefined);
    expect(bed.report('h1', clone)?.startedFrom).toBe('template');
    expect(bed.console(clone)).not.toMatch(/Linux version/);
    bed.type(clone, 'ip address show eth0; hostname\n');
    await until('it says who it is', () =>
      /ether 52:54:00:00:00:12[\s\S]*inet 10\.77\.0\.12\/24[\s\S]*^clone\r$/m.test(bed.console(clone)),
    );
    const record = await bed.migrate(clone, 'h2');
    expect(record.outcome).toBe('committed');
    bed.type(clone, 'ping -c 3 10.77.0.11; echo asked-$?\n');
    await until('they hear each other', () => /^asked-0\r$/m.test(bed.console(clone)), answerDeadlineMs);
  });
});

describeImageInQemu('small');
describeRootDisk('small', { hasPerf: false });
