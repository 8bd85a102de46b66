/**
 * Disk, random generator and balloon under Debian's kernel and its own drivers, without any cluster: one guest is
 * booted in this process, and machines go on from its snapshot.
 */
import { createHash } from 'node:crypto';
import { ensureGuestImage } from '@skein/guests';
import {
  type BlockBackend,
  type CoreModules,
  decodeInputLog,
  encodeInputLog,
  InputRecorder,
  loadCore,
  loadSnapshot,
  type MachineInput,
  pageBytes,
  replay,
  saveSnapshot,
} from '@skein/machine';
import { beforeAll, describe, expect, it } from 'vitest';
import { isReady, LoneGuest, ratePerStep, typed } from '../support/lone-guest.ts';

/** Linux reports free pages only while more than 64 MiB are free (page_reporting_process_zone). */
const memoryMib = 256;
const diskBytes = 4 * 1024 * 1024;
const rngSeed = new Uint8Array(32).fill(5);

let core: CoreModules;
let booted: Uint8Array;

/** What a booted guest finds on its disk: no two sectors alike. */
function originalContent(): Uint8Array {
  const bytes = new Uint8Array(diskBytes);
  for (let at = 0; at < diskBytes; at += 4)
    bytes.set([at & 0xff, (at >> 8) & 0xff, (at >> 16) & 0xff, 0xa5], at);
  return bytes;
}

class ArrayDisk implements BlockBackend {
  readonly capacityBytes = diskBytes;
  readonly isReadOnly = false;
  readonly bytes = originalContent();
  flushes = 0;

  read(offset: number, target: Uint8Array): void {
    target.set(this.bytes.subarray(offset, offset + target.length));
  }

  write(offset: number, bytes: Uint8Array): void {
    this.bytes.set(bytes, offset);
  }

  zero(offset: number, lengthBytes: number): void {
    this.bytes.fill(0, offset, offset + lengthBytes);
  }

  flush(): void {
    this.flushes += 1;
  }

  get digest(): string {
    return createHash('sha256').update(this.bytes).digest('hex');
  }
}

interface Started {
  readonly guest: LoneGuest;
  readonly disk: ArrayDisk;
}

function fresh(seed = rngSeed): Started {
  const disk = new ArrayDisk();
  const devices = {
    nics: [],
    disks: [{ backend: disk, serial: 'orchard' }],
    rngSeed: seed,
    hasBalloon: true,
  };
  return { guest: new LoneGuest({ core, memoryMib, devices }), disk };
}

/** A guest at its shell, whose disk is as it was at the start: nothing was written before. */
function started(): Started {
  const one = fresh();
  loadSnapshot(one.guest.machine, booted);
  return one;
}

beforeAll(async () => {
  const [modules, image] = await Promise.all([loadCore(), ensureGuestImage()]);
  core = modules;
  const { guest, disk } = fresh();
  guest.boot(image, 'skein.hostname=devices');
  guest.runUntil(() => isReady(guest));
  expect(disk.digest).toBe(new ArrayDisk().digest);
  booted = saveSnapshot(guest.machine);
});

describe('a disk', () => {
  it('is what its backend holds, with its name, and takes what the guest writes', () => {
    const { guest, disk } = started();
    expect(guest.ask('cat /sys/block/vda/serial; echo; cat /sys/block/vda/size')).toBe(
      `orchard\n${diskBytes / 512}\n`,
    );
    expect(guest.ask('sha256sum </dev/vda')).toContain(disk.digest);
    guest.ask('dd if=/dev/vda of=/tmp/part bs=4k skip=100 count=50 2>/dev/null');
    guest.ask('dd if=/tmp/part of=/dev/vda bs=4k seek=700 count=50 conv=fsync 2>/dev/null');
    const expected = originalContent();
    expected.copyWithin(700 * 4096, 100 * 4096, 150 * 4096);
    expect(Buffer.compare(disk.bytes, expected)).toBe(0);
    expect(disk.flushes).toBeGreaterThan(0);
    expect(guest.ask('echo 3 >/proc/sys/vm/drop_caches; sha256sum </dev/vda')).toContain(disk.digest);
  });

  it('reads as zeros where the guest discarded it', () => {
    const { guest, disk } = started();
    expect(guest.ask('blkdiscard -o 1048576 -l 65536 /dev/vda && echo done')).toContain('done');
    const expected = originalContent().fill(0, 1_048_576, 1_048_576 + 65_536);
    expect(Buffer.compare(disk.bytes, expected)).toBe(0);
  });

  it('ends a replayed run with the same content as the recorded one, from the same start and from no other', () => {
    const { guest, disk } = started();
    const recorder = new InputRecorder(guest.machine);
    const apply = (input: MachineInput): void => recorder.apply(input);
    guest.ask('dd if=/dev/hwrng of=/dev/vda bs=64 count=64 seek=9 2>/dev/null; sync', apply);
    guest.ask('sha256sum </dev/vda', apply);
    const log = decodeInputLog(encodeInputLog(recorder.log));
    expect(disk.digest).not.toBe(new ArrayDisk().digest);

    const again = started();
    replay(again.guest.machine, log, guest.machine.steps);
    expect(again.guest.machine.stateHash()).toBe(guest.machine.stateHash());
    expect(again.disk.digest).toBe(disk.digest);
    expect(again.guest.console).toBe(guest.console);

    const late = started();
    late.disk.bytes[diskBytes - 1] = 0;
    const attempt = (): void => replay(late.guest.machine, log, guest.machine.steps);
    expect(attempt).toThrow(expect.objectContaining({ code: 'log.diverged' }));
  });
});

describe('a machine saved while its guest uses disk, random generator and balloon at once', () => {
  it('goes on in a twin, with a copy of the disk, as in the original', () => {
    const { guest, disk } = started();
    const work =
      'dd if=/dev/hwrng bs=64 count=9 2>/dev/null | dd of=/dev/vda bs=64 seek=$i conv=notrunc,fsync';
    guest.machine.apply(typed(`for i in $(seq 100 300); do ${work} 2>/dev/null; done\n`));
    guest.machine.apply({ type: 'balloon', targetPages: 8192 });
    const goOn = (one: LoneGuest, steps: number): void => {
      one.machine.apply({ type: 'time', guestTicks: one.machine.guestTimeTicks(), ratePerStep });
      for (let left = steps; left > 0; left -= one.machine.run(left).steps) {
        const wake = one.machine.wake();
        if (wake.kind === 'at') one.machine.apply({ type: 'time', guestTicks: wake.guestTicks, ratePerStep });
      }
    };
    for (const steps of [3_000_000, 1_234_567, 7_654_321, 20_000_003]) {
      goOn(guest, steps);
      const twin = fresh();
      twin.disk.bytes.set(disk.bytes);
      loadSnapshot(twin.guest.machine, saveSnapshot(guest.machine));
      goOn(guest, 2_000_000);
      goOn(twin.guest, 2_000_000);
      expect(twin.guest.machine.stateHash()).toBe(guest.machine.stateHash());
      expect(twin.disk.digest).toBe(disk.digest);
    }
    expect(disk.digest).not.toBe(new ArrayDisk().digest);
    expect(guest.board.balloon?.metrics.inflatedPages).toBeGreaterThan(0);
  });
});

describe('the random generator', () => {
  it('gives a guest the same bytes for the same seed, and others as it goes on', () => {
    const draw = 'dd if=/dev/hwrng bs=64 count=4 2>/dev/null | sha256sum';
    const [one, two] = [started(), started()];
    const first = one.guest.ask(draw);
    expect(first).toMatch(/^[0-9a-f]{64} /);
    expect(two.guest.ask(draw)).toBe(first);
    expect(one.guest.ask(draw)).not.toBe(first);
  });

  it('is the one that the kernel has, with numbers of its own for another seed', async () => {
    const { guest } = started();
    expect(guest.ask('cat /sys/class/misc/hw_random/rng_current')).toMatch(/^virtio_rng/);
    const other = fresh(new Uint8Array(32).fill(6));
    other.guest.boot(await ensureGuestImage(), 'skein.hostname=other');
    other.guest.runUntil(() => isReady(other.guest));
    const draw = 'dd if=/dev/hwrng bs=64 count=4 2>/dev/null | sha256sum';
    expect(other.guest.ask(draw)).not.toBe(guest.ask(draw));
  });
});

describe('the balloon', () => {
  /** What the disk holds, so many times; the root file system would not take it. */
  const fillTmp = (mib: number): string =>
    `mount -t tmpfs -o size=120m none /tmp; for i in $(seq ${mib / 4}); do cat /dev/vda; done >/tmp/junk`;

  const kib = (guest: LoneGuest, what: 'MemFree' | 'Balloon'): number => {
    const [, number] = new RegExp(`^${what}:\\s+(\\d+) kB$`, 'm').exec(guest.ask('cat /proc/meminfo')) ?? [];
    return Number(number);
  };

  function pagesThatAreNotZero({ guest }: Started): number {
    const { machine } = guest;
    let pages = 0;
    for (let page = 0; page < machine.memory.pages; page++) if (machine.pageHash(page) !== 0n) pages += 1;
    return pages;
  }

  it('takes what it is asked for out of the guest’s free memory, as zeros, and gives it back', () => {
    const one = started();
    const { guest } = one;
    const targetMib = 64;
    // Our init has the kernel sum up what is free every ten seconds only.
    guest.ask('echo 1 >/proc/sys/vm/stat_interval');
    // Something to give up that is not zero: written, then freed.
    guest.ask(`${fillTmp(80)}; rm /tmp/junk`);
    const notZero = pagesThatAreNotZero(one);
    guest.ask('sleep 5');
    const free = kib(guest, 'MemFree');
    const give = (pages: number): void => {
      guest.machine.apply({ type: 'balloon', targetPages: pages });
      guest.runUntil(() => guest.board.balloon?.actualPages === pages);
      // Pages that were freed are counted as free a little later.
      guest.ask('sleep 5');
    };
    give((targetMib * 1024 * 1024) / pageBytes);
    expect(kib(guest, 'Balloon')).toBe(targetMib * 1024);
    expect(free - kib(guest, 'MemFree')).toBeGreaterThan(targetMib * 1024 * 0.75);
    expect(((notZero - pagesThatAreNotZero(one)) * pageBytes) / 2 ** 20).toBeGreaterThan(targetMib / 2);
    give(0);
    expect(kib(guest, 'Balloon')).toBe(0);
    expect(free - kib(guest, 'MemFree')).toBeLessThan(targetMib * 1024 * 0.25);
    expect(guest.ask('echo $((6 * 7))')).toBe('42\n');
  });

  it('hears of pages that the guest freed, which a snapshot then leaves out', () => {
    const one = started();
    one.guest.ask('sleep 10');
    one.guest.ask(fillTmp(40));
    const full = pagesThatAreNotZero(one);
    const fullSnapshot = saveSnapshot(one.guest.machine).length;
    // Linux reports free blocks of 2 MiB, some of them at a time; what lies between freed pages is moved out of the way.
    one.guest.ask('rm /tmp/junk; for i in $(seq 20); do echo 1 >/proc/sys/vm/compact_memory; sleep 10; done');
    const freedMib = ((full - pagesThatAreNotZero(one)) * pageBytes) / 2 ** 20;
    expect(freedMib).toBeGreaterThan(30);
    const snapshot = saveSnapshot(one.guest.machine);
    expect((fullSnapshot - snapshot.length) / 2 ** 20).toBeGreaterThan(30);
    const twin = fresh();
    loadSnapshot(twin.guest.machine, snapshot);
    expect(twin.guest.machine.stateHash()).toBe(one.guest.machine.stateHash());
  });

  it('is recorded and replayed to equal hashes', () => {
    const { guest } = started();
    const recorder = new InputRecorder(guest.machine);
    const apply = (input: MachineInput): void => recorder.apply(input);
    apply({ type: 'balloon', targetPages: 4096 });
    guest.runUntil(() => guest.board.balloon?.actualPages === 4096, apply);
    guest.ask('cat /proc/meminfo', apply);
    const again = started();
    replay(again.guest.machine, decodeInputLog(encodeInputLog(recorder.log)), guest.machine.steps);
    expect(again.guest.machine.stateHash()).toBe(guest.machine.stateHash());
    expect(again.guest.console).toBe(guest.console);
  });
});
