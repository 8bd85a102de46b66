/**
 * A peer of a migration that is let in, speaks the protocol, and lies. Real agents, a real guest, and for the liar a real
 * WebSocket. Whatever it says: a refusal with a code of its own, the connection closed, nothing half done, and no memory kept.
 */
import { readFileSync } from 'node:fs';
import { zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AgentBed, BedVm } from '../support/agent-bed.ts';
import { BedGuest } from '../support/bed-guest.ts';
import { HostileSource, type HostileSourceOptions } from '../support/hostile-source.ts';
import { deadlineMs, HostileTarget, type HostileTargetOptions } from '../support/hostile-target.ts';
import { until } from '../support/until.ts';

let guest: BedGuest;
let bed: AgentBed;
let vm: BedVm;

beforeAll(async () => {
  guest = await BedGuest.start();
  ({ bed, vm } = guest);
});
afterAll(() => bed.close());

const pages = (64 << 20) / 4096;
/** A record of a liar's source or target takes no longer. */
const endDeadlineMs = 15_000;

async function fromLiar(
  tell: (source: HostileSource) => Promise<unknown> | unknown,
  options: HostileSourceOptions = {},
): Promise<HostileSource> {
  const source = await HostileSource.open(bed, vm.machine.image, options);
  try {
    await tell(source);
    await until('the target hangs up', () => source.closed !== null, deadlineMs);
    return source;
  } finally {
    await source.close();
  }
}

describe('a source that lies', () => {
  it.each<
    [string, string, RegExp, (source: HostileSource) => Promise<unknown> | unknown, HostileSourceOptions?]
  >([
    [
      'has another machine',
      'migration.machine-version',
      /h9 has machine version 99, h2 has \d+/,
      () => {},
      { machineVersion: 99 },
    ],
    [
      'sends a page that the guest does not have',
      'migration.pages-invalid',
      /page 16384 of/,
      (source) => source.sendZeroPage(pages),
    ],
    [
      'sends a page with the hash of another one',
      'migration.page-mismatch',
      /page 5 is not what/,
      (source) => source.sendPage(5, 1, { hash: 1n }),
    ],
    [
      'sends a batch a second time',
      'migration.pages-invalid',
      /page batch 0 came where 1 was due/,
      (source) => {
        source.sendPage(5, 1);
        source.sendPage(5, 1, { sequence: 0 });
      },
    ],
    [
      'sends a megabyte as one compressed page',
      'migration.pages-invalid',
      /cannot be decompressed/,
      (source) => source.sendCompressed(5, zstdCompressSync(new Uint8Array(1 << 20))),
    ],
    [
      'sends more batches than it says',
      'migration.pages-invalid',
      /2 page batches were applied, 1 were sent/,
      async (source) => {
        source.sendPage(5, 1);
        source.sendPage(6, 1);
        source.sendState();
        expect(await source.sendFinal({ batches: 1 })).toBe('migration.pages-invalid');
      },
    ],
    [
      'sends a state of which a byte is another',
      'migration.state-invalid',
      /checksum/,
      async (source) => {
        const damaged = source.state.slice();
        damaged[100] = (damaged[100] ?? 0) ^ 1;
        source.sendState(damaged);
        expect(await source.sendFinal()).toBe('migration.state-invalid');
      },
    ],
    [
      'sends no state',
      'migration.state-invalid',
      /never came/,
      async (source) => expect(await source.sendFinal()).toBe('migration.state-invalid'),
    ],
    [
      'sends two states',
      'migration.out-of-turn',
      /the state of CPU and devices came where none is due/,
      (source) => {
        source.sendState();
        source.sendState();
      },
    ],
    [
      'sends the bitmap of another guest',
      'migration.state-invalid',
      /bitmap of missing pages has 8 bytes/,
      async (source) => {
        source.sendState();
        expect(await source.sendFinal({ missing: new Uint8Array(8) })).toBe('migration.state-invalid');
      },
    ],
    [
      'forges the hash of the whole',
      'migration.hash-mismatch',
      /the state hash is [0-9a-f]{16} here and 0{15}1/,
      async (source) => {
        source.sendState();
        expect(await source.sendFinal({ stateHash: '0000000000000001' })).toBe('migration.hash-mismatch');
      },
    ],
    [
      'says that it is done a second time',
      'migration.out-of-turn',
      /the final message came where none is due/,
      async (source) => {
        await source.makeReady();
        await source.sendFinal();
      },
    ],
    [
      'sends pages after it said that it is done',
      'migration.out-of-turn',
      /pages came where none are due/,
      async (source) => {
        await source.makeReady();
        source.sendPage(5, 1);
      },
    ],
    [
      'grants the lease before the target is ready',
      'migration.out-of-turn',
      /grants the lease where it is not awaited/,
      (source) => source.grant(),
    ],
    [
      'grants an epoch that is not the next',
      'epoch.stale',
      /grants epoch 7, where 2 is next/,
      async (source) => {
        await source.makeReady();
        source.grant(7);
      },
    ],
    [
      'tells a history with more on the console than was written',
      'link.bad-message',
      /the backlog is longer/,
      async (source) => {
        await source.makeReady();
        const told = { kernel: null, firstStepMs: null, readyMs: null, startedFrom: null };
        source.grant(2, { ...told, consolePosition: 3, consoleBacklog: new Uint8Array(64) });
      },
    ],
  ])('%s: it is refused by %s, and nothing of it stays', async (_, code, words, tell, options) => {
    const source = await fromLiar(tell, options);
    const record = await bed.recordOf(source.operation, 'target', endDeadlineMs);
    expect(record).toMatchObject({ outcome: 'aborted', code });
    expect(record.reason).toMatch(words);
    if (source.refusal !== null) expect(source.refusal).toMatchObject({ code });
    await until('the target has freed it', () => {
      const report = bed.report('h2', { ...vm, vm: source.vm });
      return report === undefined || report.state === 'stopped';
    });
  });

  it.each<[string, RegExp, (source: HostileSource) => unknown]>([
    [
      'grants the lease a second time',
      /grants the lease where it is not awaited/,
      (source) => source.grant(),
    ],
    ['sends pages after the guest runs', /pages came where none are due/, (source) => source.sendPage(5, 1)],
  ])('%s: the connection ends, and the guest that has the lease runs on', async (_, words, tell) => {
    const source = await fromLiar(async (liar) => {
      await liar.makeReady();
      await liar.passLease('h2');
      liar.grant();
      await until('the guest runs', () => liar.hasHeardResumed);
      await tell(liar);
    });
    expect(source.refusal).toMatchObject({ code: 'migration.out-of-turn' });
    expect(source.refusal?.reason).toMatch(words);
    await expectGhostRuns(source);
  });

  it('sends a page again that the guest waits for no more: the guest keeps its own, and runs on', async () => {
    const source = await fromLiar(async (liar) => {
      const missing = new Uint8Array(pages / 8);
      missing[0] = 1 << 5;
      await liar.makeReady({ missing });
      await liar.passLease('h2');
      liar.grant();
      liar.sendPage(5, 1);
      await until('the guest has all of its memory', () => liar.hasHeardResumed);
      liar.sendPage(5, 2);
    });
    expect(source.refusal).toMatchObject({ code: 'migration.out-of-turn' });
    await expectGhostRuns(source);
  });

  it('grants a lease that it never passed: the target fences it at its first renewal', async () => {
    const source = await HostileSource.open(bed, vm.machine.image);
    await source.makeReady();
    source.grant();
    const ghost: BedVm = { ...vm, vm: source.vm };
    const ended = await until('it is fenced', () => {
      const report = bed.report('h2', ghost);
      return report?.state === 'stopped' && report;
    });
    expect(ended.reason).toMatch(/^fenced: /);
    await source.close();
  });

  it('tells the record of another migration at the end: the target tells its own', async () => {
    const { operation } = await fromLiar((liar) => liar.sendPage(5, 1, { hash: 1n }));
    const known = await bed.recordOf(operation, 'target', endDeadlineMs);
    const another = { ...known, operation: 'op-ffffffffffffffff', from: 'h1', outcome: 'committed' as const };
    const source = await HostileSource.open(bed, vm.machine.image, { record: () => another });
    await source.makeReady();
    await source.passLease('h2');
    source.grant();
    await expectGhostRuns(source);
    expect(bed.ended.some(({ record }) => record.operation === 'op-ffffffffffffffff')).toBe(false);
    await source.close();
  });
});

/** The liar's guest has the lease at the target: it runs there, whatever was said afterwards. Then it is stopped. */
async function expectGhostRuns(source: HostileSource): Promise<void> {
  const record = await bed.recordOf(source.operation, 'target', endDeadlineMs);
  expect(record).toMatchObject({ operation: source.operation, from: 'h9', to: 'h2', outcome: 'committed' });
  expect(record).toMatchObject({ reason: null, code: null, epochAfter: 2 });
  const ghost: BedVm = { ...vm, vm: source.vm, host: 'h2', epoch: 2 };
  await until('it runs', () => bed.report('h2', ghost)?.state === 'running');
  const steps = bed.report('h2', ghost)?.steps ?? 0;
  await until('it goes on', () => (bed.report('h2', ghost)?.steps ?? 0) > steps);
  await bed.stopVm(ghost);
}

describe('a target that lies', () => {
  async function toLiar(
    tell: (target: HostileTarget) => Promise<unknown> | unknown,
    options: HostileTargetOptions = {},
  ): Promise<HostileTarget> {
    const target = await HostileTarget.open(bed, vm, options);
    await tell(target);
    await until('the source hangs up', () => target.closed !== null, deadlineMs);
    return target;
  }

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
    const target = await toLiar(tell, options);
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
    const beforeMib = residentMib('h1');
    const last = (other.machine.memoryMib << 20) / 4096 - 1;
    const wanted = Array.from({ length: 64 }, (_unused, index) => last - index);
    for (let time = 0; time < 16_384; time++) target.link.notify('pages.wanted', { pages: wanted });
    target.link.notify('pages.wanted', { pages: [last + 1] });
    await until('the source hangs up', () => target.closed !== null, 30_000);
    const record = await bed.recordOf(target.operation, 'source', endDeadlineMs);
    expect(record).toMatchObject({ outcome: 'committed', code: 'migration.memory-lost' });
    expect(residentMib('h1') - beforeMib).toBeLessThan(64);
    await guest.expectAlive();
  });
});

describe('two hosts that were lied to', () => {
  it('hold no more memory than before, and migrate as before', async () => {
    const lie = (): Promise<unknown> => fromLiar((source) => source.sendPage(5, 1, { hash: 1n }));
    await lie();
    const before = { h1: residentMib('h1'), h2: residentMib('h2') };
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
      () => residentMib('h1') - before.h1 < 100 && residentMib('h2') - before.h2 < 100,
    );
    const record = await bed.migrate(vm, 'h2');
    expect(record.stateHashTarget).toBe(record.stateHashSource);
    expect(record.stateHashSourceFull).toBe(record.stateHashSource);
    await guest.expectAlive();
  });
});

function residentMib(host: string): number {
  const status = readFileSync(`/proc/${bed.agent(host).pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) / 1024;
}
