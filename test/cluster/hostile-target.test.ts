/**
 * A target of a migration that is let in, speaks the protocol, and lies; a real agent with a real guest is the source, over a
 * real WebSocket. Whatever it says: a refusal with a code, the connection closed, and the guest runs on where it is.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AgentBed, BedVm } from '../support/agent-bed.ts';
import { BedGuest } from '../support/bed-guest.ts';
import { lieAsSource } from '../support/hostile-source.ts';
import { HostileTarget, type HostileTargetOptions, lieAsTarget } from '../support/hostile-target.ts';
import { residentMib } from '../support/resident-memory.ts';
import { until } from '../support/until.ts';

let guest: BedGuest;
let bed: AgentBed;
let vm: BedVm;

beforeAll(async () => {
  guest = await BedGuest.start();
  ({ bed, vm } = guest);
});
afterAll(() => bed.close());

/** A record of a liar's source takes no longer. */
const endDeadlineMs = 15_000;

describe('a target that lies', () => {
  const refused = (request: Promise<unknown>, code: string): Promise<void> =>
    expect(request).rejects.toMatchObject({ code });

  it.each<
    [string, string, RegExp, (target: HostileTarget) => Promise<unknown> | unknown, HostileTargetOptions?]
  >([
    [
      'has another machine',
      'migration.machine-version',
      /h9 has machine version 99, h1 has \d+/,
      (target) => refused(target.hello({ machineVersion: 99 }), 'migration.machine-version'),
    ],
    [
      'begins a second time',
      'migration.out-of-turn',
      /begins a second time/,
      async (target) => {
        await target.hello();
        await target.begin();
        await refused(target.begin(), 'migration.out-of-turn');
      },
    ],
    [
      'acknowledges more than it was sent',
      'migration.acknowledgement-invalid',
      /acknowledges 1099511627776 bytes that were never sent/,
      async (target) => {
        await target.hello();
        await target.begin();
      },
      { acknowledges: () => 2 ** 40 },
    ],
    [
      'acknowledges before anything was sent',
      'migration.acknowledgement-invalid',
      /acknowledges 1 bytes/,
      async (target) => {
        await target.hello();
        target.link.notify('pages.applied', { bytes: 1 });
      },
    ],
    [
      'acknowledges nothing',
      'migration.aborted',
      /not committed within 1500 ms/,
      async (target) => {
        await target.hello();
        await target.begin();
      },
      { acknowledges: () => 0, settings: { deadlineMs: 1500 } },
    ],
    [
      'wants a page that the guest does not have',
      'migration.pages-invalid',
      /wants page 4294967296 of a guest that has \d+/,
      async (target) => {
        await target.hello();
        await target.begin();
        target.link.notify('pages.wanted', { pages: [0, 2 ** 32] });
      },
    ],
    [
      'wants pages although it was granted nothing',
      'migration.out-of-turn',
      /wants pages although none follow/,
      async (target) => {
        await target.hello();
        await target.begin();
        target.link.notify('pages.wanted', { pages: [0] });
      },
    ],
    [
      'says that its guest runs before it was granted the lease',
      'migration.out-of-turn',
      /runs before it was granted the lease/,
      async (target) => {
        await target.hello();
        await target.begin();
        await refused(target.resumed(), 'migration.out-of-turn');
      },
    ],
    [
      'says that it is ready with another state',
      'migration.hash-mismatch',
      /says ready to state hash 0{15}1, this host sent/,
      async (target) => {
        await target.hello();
        await target.begin();
      },
      { stateHash: () => '0000000000000001' },
    ],
  ])('%s: it is refused by %s, and the guest runs on where it is', async (_, code, words, tell, options) => {
    const target = await lieAsTarget(bed, vm, tell, options);
    const record = await bed.recordOf(target.operation, 'source', endDeadlineMs);
    expect(record.outcome).toBe('aborted');
    expect(record.code ?? 'migration.aborted').toBe(code);
    expect(record.reason).toMatch(words);
    expect(bed.report('h1', vm)).toMatchObject({ epoch: vm.epoch });
    await guest.expectAlive();
    await until('it counts as running', () => bed.report('h1', vm)?.state === 'running');
  });

  it('wants the same pages a million times after the commit: it is held to those that are, and the source keeps nothing', async () => {
    const other = await bed.startVm('web2', 'h1', 2);
    await until('it runs', () => bed.report('h1', other)?.state === 'running');
    const target = await HostileTarget.open(bed, other, {
      settings: { mode: 'post-copy' },
      acknowledges: () => 0,
    });
    await target.hello();
    await target.begin();
    await until('the lease is granted', () => target.hasGrant);
    const beforeMib = residentMib(bed.agent('h1').pid);
    const last = (other.machine.memoryMib << 20) / 4096 - 1;
    const wanted = Array.from({ length: 64 }, (_unused, index) => last - index);
    for (let time = 0; time < 16_384; time++) target.link.notify('pages.wanted', { pages: wanted });
    target.link.notify('pages.wanted', { pages: [last + 1] });
    await until('the source hangs up', () => target.closed !== null, 30_000);
    const record = await bed.recordOf(target.operation, 'source', endDeadlineMs);
    expect(record).toMatchObject({ outcome: 'committed', code: 'migration.memory-lost' });
    expect(residentMib(bed.agent('h1').pid) - beforeMib).toBeLessThan(64);
    await guest.expectAlive();
  });
});

describe('two hosts that were lied to', () => {
  it('hold no more memory than before, and migrate as before', async () => {
    const lie = (): Promise<unknown> =>
      lieAsSource(bed, vm.machine.image, (source) => source.sendPage(5, 1, { hash: 1n }));
    await lie();
    const before = { h1: residentMib(bed.agent('h1').pid), h2: residentMib(bed.agent('h2').pid) };
    for (let time = 0; time < 10; time++) {
      await lie();
      const target = await HostileTarget.open(bed, vm, { acknowledges: () => 2 ** 40 });
      await target.hello();
      await target.begin();
      await bed.recordOf(target.operation, 'source', endDeadlineMs);
    }
    // Each attempt had a machine of 64 MiB, or copies of the guest's pages, beside threads of its own.
    await until(
      'the memory is back',
      () =>
        residentMib(bed.agent('h1').pid) - before.h1 < 100 &&
        residentMib(bed.agent('h2').pid) - before.h2 < 100,
    );
    const record = await bed.migrate(vm, 'h2');
    expect(record.stateHashTarget).toBe(record.stateHashSource);
    expect(record.stateHashSourceFull).toBe(record.stateHashSource);
    await guest.expectAlive();
  });
});
