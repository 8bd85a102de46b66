/**
 * The image's init under a kernel that has its drivers built in, as the small one has: no modules, and every slot looked at
 * before the first program. Compiling a kernel takes minutes, so Debian's stands in for it here: its modules are loaded by
 * hand, in the usual way, before init is started and finds none. `pnpm test:small-kernel` has the real one.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureGuestImage, type GuestImage } from '@skein/guests';
import { type CoreModules, loadCore, loadTemplate, saveTemplate } from '@skein/machine';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isReady, LoneGuest, typed } from '../support/lone-guest.ts';

const memoryMib = 128;
const mac = '52:54:00:00:00:2a';

/** As kernels do that have virtio built in, and then there is nothing left to load. */
const loadAllNow = [
  '/bin/busybox mount -t sysfs sys /sys',
  'while read -r module; do /bin/busybox insmod /lib/modules/$module.ko; done </lib/modules/order',
  'echo -n >/lib/modules/order',
  'echo "bound: $(/bin/busybox ls /sys/bus/platform/drivers/virtio-mmio)"',
  '/bin/busybox umount /sys',
  // Half a second in which a random generator is asked that is there.
  '/bin/busybox usleep 500000',
  'exec /init',
  '',
].join('\n');

let core: CoreModules;
let image: GuestImage;
let folder: string;

beforeAll(async () => {
  [core, image] = await Promise.all([loadCore(), ensureGuestImage()]);
  folder = mkdtempSync(join(tmpdir(), 'skein-built-in-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function guestWith(nicMac: string, hasIdentityPort: boolean): LoneGuest {
  const rngSeed = new Uint8Array(32).fill(7);
  const nics = [{ mac: nicMac }];
  return new LoneGuest({ core, memoryMib, devices: { nics, hasIdentityPort, rngSeed, hasBalloon: true } });
}

/** Up to where init takes over, with all devices that it has bound to their drivers. */
function bootWithoutModules(guest: LoneGuest, bootArguments = ''): void {
  guest.boot(image, `rdinit=/bin/sh ${bootArguments}`);
  guest.runUntil(() => /job control turned off\r?\n.*# /.test(guest.console));
  guest.machine.apply(typed(loadAllNow));
  guest.runUntil(() => /^bound: .*virtio_mmio/m.test(guest.console));
}

describe('init under a kernel without modules', () => {
  it('takes its name and address from the command line and brings the network up', () => {
    const guest = guestWith(mac, false);
    bootWithoutModules(guest, 'skein.hostname=alone skein.ip=10.0.0.2/24');
    guest.runUntil(() => isReady(guest));
    expect(guest.console).toMatch(/skein-guest: ready alone/);
    expect(guest.console).not.toMatch(/cannot load|can't create|write error|no network interface/);
    expect(guest.ask('ip address show eth0')).toMatch(new RegExp(`ether ${mac}[^]*inet 10\\.0\\.0\\.2/24`));
  });

  it('lets go of the vNIC until it knows who it is, so that its clones have their own', () => {
    const first = guestWith(mac, true);
    bootWithoutModules(first);
    first.runUntil(() => first.machine.isIdentityAwaited);
    const template = join(folder, 'template');
    saveTemplate(first.machine, template, `${template}.partial`);

    const ownMac = '52:54:00:00:00:2b';
    const clone = guestWith(ownMac, true);
    loadTemplate(clone.machine, template);
    const words = ['skein.hostname=clone', 'skein.ip=10.0.0.3/24', `skein.entropy=${'5a'.repeat(32)}`];
    const identity = [...words, 'skein.time=1800000000000000', 'skein.end', ''].join('\n');
    clone.machine.apply({ type: 'identity', bytes: new Uint8Array(Buffer.from(identity)) });
    clone.runUntil(() => isReady(clone));
    expect(clone.console).toMatch(/skein-guest: ready clone/);
    expect(clone.ask('ip address show eth0')).toMatch(
      new RegExp(`ether ${ownMac}[^]*inet 10\\.0\\.0\\.3/24`),
    );
  });
});
