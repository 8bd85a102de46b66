/**
 * Clones of a booted template, without any cluster: Debian's kernel is booted once in this process, and machines that
 * go on from there are recorded, replayed and saved.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureGuestImage, type GuestImage } from '@skein/guests';
import {
  type CoreModules,
  decodeInputLog,
  encodeInputLog,
  InputRecorder,
  loadCore,
  loadSnapshot,
  loadTemplate,
  type MachineInput,
  replay,
  saveSnapshot,
  saveTemplate,
} from '@skein/machine';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isReady, LoneGuest, ratePerStep, typed } from '../support/lone-guest.ts';

const memoryMib = 128;
const mac = '52:54:00:00:00:2a';
const wallClockNs = 1_800_000_000_000_000_000n;

let core: CoreModules;
let image: GuestImage;
let folder: string;
let template: string;

beforeAll(async () => {
  [core, image] = await Promise.all([loadCore(), ensureGuestImage()]);
  folder = mkdtempSync(join(tmpdir(), 'skein-clone-'));
  template = join(folder, 'template');
  const guest = guestWith([]);
  guest.boot(image);
  guest.runUntil(() => guest.machine.isIdentityAwaited);
  saveTemplate(guest.machine, template, `${template}.partial`);
});
afterAll(() => rmSync(folder, { recursive: true }));

function guestWith(macs: readonly string[]): LoneGuest {
  const nics = macs.map((address) => ({ mac: address }));
  return new LoneGuest({ core, memoryMib, devices: { nics, hasIdentityPort: true } });
}

function cloneOfTemplate(): LoneGuest {
  const guest = guestWith([mac]);
  loadTemplate(guest.machine, template);
  guest.machine.setWallClock(wallClockNs);
  return guest;
}

function identity(hostname: string, entropy: string): MachineInput {
  const words = [`skein.hostname=${hostname}`, 'skein.ip=10.0.0.2/24', 'skein.time=1800000000000000'];
  const text = [...words, `skein.entropy=${entropy.repeat(64)}`, 'skein.end', ''].join('\n');
  return { type: 'identity', bytes: new Uint8Array(Buffer.from(text)) };
}

/** Starts a clone and lets it say what the kernel's random generator gave it. */
function bootIdOf(entropy: string): string {
  const guest = cloneOfTemplate();
  guest.machine.apply(identity('same', entropy));
  guest.runUntil(() => isReady(guest));
  guest.machine.apply(typed('cat /proc/sys/kernel/random/boot_id\n'));
  let found: RegExpExecArray | null = null;
  guest.runUntil(() => {
    found = /^([0-9a-f-]{36})\r?$/m.exec(guest.console);
    return found !== null;
  });
  return found?.[1] ?? '';
}

describe('a clone', () => {
  it('goes on where its template was, with its own vNIC, clock and name', () => {
    const guest = cloneOfTemplate();
    expect(guest.machine.isIdentityAwaited).toBe(true);
    guest.machine.apply(identity('web7', 'a'));
    guest.runUntil(() => isReady(guest));
    expect(guest.console).not.toMatch(/Linux version/);
    expect(guest.frames.length).toBeGreaterThan(0);
    const before = guest.console.length;
    guest.machine.apply(typed('hostname; cat /sys/class/net/eth0/address; date -u +%Y; echo $((40 + 2))\n'));
    guest.runUntil(() => /^42\r?$/m.test(guest.console.slice(before)));
    expect(guest.console.slice(before)).toMatch(new RegExp(`web7\\r\\n${mac}\\r\\n2027\\r\\n42`));
  });

  it('replays from its template to equal hashes, with its identity as an input of the log', () => {
    const recorded = cloneOfTemplate();
    const recorder = new InputRecorder(recorded.machine);
    const apply = (input: MachineInput): void => recorder.apply(input);
    apply(identity('web1', 'b'));
    recorded.runUntil(() => isReady(recorded), apply);
    apply(typed('cat /proc/sys/kernel/random/boot_id; echo $((40 + 2))\n'));
    recorded.runUntil(() => /^42\r?$/m.test(recorded.console), apply, 33_333);
    const log = decodeInputLog(encodeInputLog(recorder.log));
    expect(log.inputs.filter(({ input }) => input.type === 'identity')).toHaveLength(1);

    const replayed = cloneOfTemplate();
    replay(replayed.machine, log, recorded.machine.steps);
    expect(replayed.machine.stateHash()).toBe(recorded.machine.stateHash());
    expect(replayed.console).toBe(recorded.console);
  });

  it('has random numbers that follow from the entropy it was given, and from nothing else', () => {
    const [first, again, other] = [bootIdOf('c'), bootIdOf('c'), bootIdOf('d')];
    expect(first).toMatch(/^[0-9a-f-]{36}$/);
    expect(again).toBe(first);
    expect(other).not.toBe(first);
  });

  it('is saved and restored like any machine, before and after it was told who it is', () => {
    const guest = cloneOfTemplate();
    guest.machine.apply(identity('web1', 'e'));
    for (const steps of [0, 5_000_000]) {
      guest.machine.apply({ type: 'time', guestTicks: guest.machine.guestTimeTicks(), ratePerStep });
      guest.machine.run(steps);
      const twin = guestWith([mac]);
      loadSnapshot(twin.machine, saveSnapshot(guest.machine));
      expect(twin.machine.stateHash()).toBe(guest.machine.stateHash());
      for (const { machine } of [guest, twin]) {
        machine.apply({ type: 'time', guestTicks: machine.guestTimeTicks(), ratePerStep });
        machine.run(1_000_000);
      }
      expect(twin.machine.stateHash()).toBe(guest.machine.stateHash());
    }
  });
});

describe('a guest that has begun to use its vNIC', () => {
  it('leaves no template: a clone could not have it', () => {
    const guest = cloneOfTemplate();
    guest.machine.apply(identity('web1', 'f'));
    guest.runUntil(() => isReady(guest));
    const late = (): unknown =>
      saveTemplate(guest.machine, join(folder, 'late'), join(folder, 'late.partial'));
    expect(late).toThrow(expect.objectContaining({ code: 'template.not-possible' }));
  });
});
