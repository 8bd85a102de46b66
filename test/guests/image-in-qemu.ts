/** A guest image in QEMU, a machine that is not ours: it boots, obeys its command line, and two guests talk. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureGuestImage, type GuestImage, type GuestImageName } from '@skein/guests';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { QemuProcess, qemuBoardArguments } from '../support/qemu.ts';
import { until } from '../support/until.ts';

/** Several times what a busy machine needs: emulation alone takes three seconds. */
/** Or a later one: the shell's prompt may stand before any one of them. */
const thirdTick = /^t (?:[3-9]|\d\d+) \d+\r?$/m;
const bootDeadlineMs = 60_000;
const answerDeadlineMs = 30_000;

/** The same for every image: registers its tests. */
export function describeImageInQemu(name: GuestImageName): void {
  describe(`the guest image ${name}`, () => {
    let image: GuestImage;
    let folder: string;
    const running: QemuProcess[] = [];

    beforeAll(async () => {
      image = await ensureGuestImage({ name });
      folder = mkdtempSync(join(tmpdir(), 'skein-qemu-'));
    });

    afterAll(async () => {
      await Promise.all(running.map((guest) => guest.kill()));
      if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
    });

    function startGuest(
      bootArguments: string,
      memoryMib: number,
      deviceArguments: readonly string[] = [],
    ): QemuProcess {
      const guest = QemuProcess.start([
        ...qemuBoardArguments,
        ...['-m', `${memoryMib}`, '-kernel', image.kernelPath, '-initrd', image.initrdPath],
        ...['-append', `${image.defaultBootArguments} ${bootArguments}`],
        ...deviceArguments,
      ]);
      running.push(guest);
      return guest;
    }

    /** One end of a cable between two guests. */
    function cable(end: 'server' | 'client'): readonly string[] {
      const side = end === 'server' ? 'server=on' : 'server=off';
      const path = join(folder, 'cable');
      return [
        ...['-netdev', `stream,id=cable,${side},addr.type=unix,addr.path=${path}`],
        ...['-device', 'virtio-net-device,netdev=cable'],
      ];
    }

    /** A virtio port of QEMU's, with a socket as its other end. */
    function identityPort(path: string): readonly string[] {
      return [
        // Each port costs the guest half a MiB and more.
        ...['-device', 'virtio-serial-device,max_ports=2'],
        ...['-chardev', `socket,id=identity,path=${path},server=on,wait=off`],
        ...['-device', `virtserialport,chardev=identity,name=${image.identityPort}`],
      ];
    }

    test('boots in the memory of the smallest guest to a shell that answers and is started anew', async () => {
      const guest = startGuest('skein.hostname=small', image.memoryMibMin ?? 0);
      const banner = await guest.waitFor(/Linux version (\S+) /, bootDeadlineMs);
      expect(banner[1]).toBe(image.kernelVersion);
      await guest.waitFor(/^skein-guest: ready small\r?$/m, bootDeadlineMs);
      await guest.waitFor(/small:~# /, answerDeadlineMs);
      await guest.ask('echo $((6 * 7))', /^42\r?$/m, answerDeadlineMs);
      // The old shell's prompt may still be on its way; the new one introduces itself.
      await guest.ask('exit', /built-in shell.*small:~# /s, answerDeadlineMs);
      await guest.ask('echo "pid $$ is a new shell"', /^pid \d+ is a new shell\r?$/m, answerDeadlineMs);
      expect(guest.console.match(/skein-guest: ready/g)).toHaveLength(1);
      guest.send('poweroff\n');
      expect(await guest.exit(answerDeadlineMs)).toBe(0);
    });

    test('runs the workload of its command line beside its shell', async () => {
      const guest = startGuest('skein.hostname=counter skein.run=ticker,100', image.memoryMibMin ?? 0);
      await guest.waitFor(/^skein-guest: ready counter\r?$/m, bootDeadlineMs);
      await guest.waitFor(thirdTick, answerDeadlineMs);
      await guest.ask('echo here', /^here\r?$/m, answerDeadlineMs);
      await guest.kill();
    });

    test('reads who it is from a virtio port, though its command line says otherwise', async () => {
      const path = join(folder, 'identity');
      const guest = startGuest('skein.hostname=not-this', 128, identityPort(path));
      await until('QEMU listens', () => existsSync(path), bootDeadlineMs);
      const host = connect(path).on('error', () => undefined);
      const words = [
        'skein.hostname=told',
        'skein.time=1234567890000000',
        `skein.entropy=${'5a'.repeat(32)}`,
      ];
      host.write([...words, 'skein.run=ticker,100', 'skein.end', ''].join('\n'));
      await guest.waitFor(/^skein-guest: ready told\r?$/m, bootDeadlineMs);
      expect(guest.console).not.toMatch(/seeded anew/);
      await guest.waitFor(thirdTick, answerDeadlineMs);
      await guest.ask('date +%s', /^12345678\d\d\r?$/m, answerDeadlineMs);
      host.destroy();
      await guest.kill();
    });

    test('lets two guests ping each other, also every 10 ms', async () => {
      const one = startGuest(
        'skein.hostname=one skein.ip=10.0.0.1/24 skein.mac=52:54:00:00:00:01',
        128,
        cable('server'),
      );
      // QEMU opens its network before it runs the firmware, so the other one finds the cable's end.
      await one.waitFor(/Linux version/, bootDeadlineMs);
      const two = startGuest(
        'skein.hostname=two skein.ip=10.0.0.2/24 skein.mac=52:54:00:00:00:02',
        128,
        cable('client'),
      );
      await one.waitFor(/^skein-guest: ready one\r?$/m, bootDeadlineMs);
      await two.waitFor(/^skein-guest: ready two\r?$/m, bootDeadlineMs);
      await two.ask(
        'ip address show eth0',
        /link\/ether 52:54:00:00:00:02[\s\S]*inet 10\.0\.0\.2\/24/,
        answerDeadlineMs,
      );
      const ping = await one.ask(
        'ping -c 50 -i 0.01 10.0.0.2',
        /50 packets transmitted, (\d+) packets received/,
        answerDeadlineMs,
      );
      expect(ping[1]).toBe('50');
      await two.ask('pinger 10.0.0.1 10 50', /pinger: sent 50 received 50 lost 0/, answerDeadlineMs);
      // Each guest has learnt the address that the other's command line gave.
      await two.ask('ip neigh show 10.0.0.1', /52:54:00:00:00:01/, answerDeadlineMs);
    });
  });
}
