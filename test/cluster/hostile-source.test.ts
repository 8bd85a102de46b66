/**
 * A source of a migration that is let in, speaks the protocol, and lies; a real agent is the target, over a real WebSocket.
 * Whatever it says: a refusal with a code, the connection closed, nothing half done, and no memory kept.
 */
import { randomBytes } from 'node:crypto';
import { zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AgentBed, BedVm } from '../support/agent-bed.ts';
import { BedGuest } from '../support/bed-guest.ts';
import { HostileSource, type HostileSourceOptions, lieAsSource } from '../support/hostile-source.ts';
import { residentMib } from '../support/resident-memory.ts';
import { until } from '../support/until.ts';

let bed: AgentBed;
let vm: BedVm;

beforeAll(async () => {
  ({ bed, vm } = await BedGuest.start());
});
afterAll(() => bed.close());

const pages = (64 << 20) / 4096;
/** A record of a liar's target takes no longer. */
const endDeadlineMs = 15_000;

const history = {
  consolePosition: 0,
  consoleBacklog: new Uint8Array(0),
  kernel: null,
  firstStepMs: null,
  readyMs: null,
  startedFrom: null,
  isConsoleRead: false,
};

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
      'has a guest of another size',
      'migration.aborted',
      /the source has 65 MiB, reserved were 64/,
      () => {},
      { memoryMib: 65 },
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
      'says twice which code its guest uses',
      'migration.out-of-turn',
      /the guest's used code came where none is due/,
      (source) => {
        source.sendUsedCode(new Uint8Array(264));
        source.sendUsedCode(new Uint8Array(264));
      },
    ],
    [
      'says which code its guest uses when the guest is suspended',
      'migration.out-of-turn',
      /the guest's used code came where none is due/,
      (source) => {
        source.sendState();
        source.sendUsedCode(new Uint8Array(264));
      },
    ],
    [
      'says of more code than there can be that its guest uses it',
      'link.bad-message',
      /usedCode/,
      (source) => source.sendUsedCode(new Uint8Array((64 << 10) + 1)),
    ],
    [
      'says that pages come which its guest does not have',
      'migration.pages-invalid',
      /said to come that the guest does not have/,
      (source) => source.sendComing(64 * 256, new Uint8Array(4).fill(255)),
    ],
    [
      'says of more pages in one message than there may be that they come',
      'link.bad-message',
      /pages/,
      (source) => source.sendComing(0, new Uint8Array(260)),
    ],
    [
      'says twice that pages come',
      'migration.pages-invalid',
      /pages from 32 on are said to come a second time/,
      (source) => {
        source.sendComing(0, new Uint8Array(256).fill(255));
        source.sendComing(32, new Uint8Array(4).fill(255));
      },
    ],
    [
      'says that pages come when the guest is suspended',
      'migration.out-of-turn',
      /pages are said to come where none are due/,
      (source) => {
        source.sendState();
        source.sendComing(0, new Uint8Array(4).fill(255));
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
        expect(await source.sendFinal()).toBe('migration.out-of-turn');
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
        await source.tellHistory({ ...history, consolePosition: 3, consoleBacklog: new Uint8Array(64) });
      },
    ],
    [
      "tells the guest's history a second time",
      'migration.out-of-turn',
      /history came where none is due/,
      async (source) => {
        await source.makeReady();
        expect(await source.tellHistory(history)).toBeNull();
        expect(await source.tellHistory(history)).toBe('migration.out-of-turn');
      },
    ],
  ])('%s: it is refused by %s, and nothing of it stays', async (_, code, words, tell, options) => {
    const source = await lieAsSource(bed, vm.machine.image, tell, options);
    const record = await bed.recordOf(source.operation, 'target', endDeadlineMs);
    expect(record.outcome).toBe('aborted');
    expect(record.code ?? 'migration.aborted').toBe(code);
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
    const source = await lieAsSource(bed, vm.machine.image, async (liar) => {
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

  it('invents the code that its guest uses, and writes it anew meanwhile: the guest runs on', async () => {
    const invented = randomBytes(64 << 10);
    // Half of the pages are the guest's.
    for (let record = 0; record < 100; record++) invented.writeUInt32LE(record % 10, record * 528);
    const source = await HostileSource.open(bed, vm.machine.image);
    for (let page = 0; page < 10; page++) source.sendPage(page, page + 1);
    source.sendUsedCode(invented);
    source.sendPage(0, 99);
    await source.makeReady();
    await source.passLease('h2');
    source.grant();
    await until('the guest runs', () => source.hasHeardResumed);
    expect(source.refusal).toBeNull();
    await source.close();
    await expectGhostRuns(source);
  });

  it('sends a page again that the guest waits for no more: the guest keeps its own, and runs on', async () => {
    const source = await lieAsSource(bed, vm.machine.image, async (liar) => {
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

  it('sends the whole memory six times over without waiting: the target holds the guest and no more', async () => {
    const beforeMib = residentMib(bed.agent('h2').pid);
    let mostMib = 0;
    await lieAsSource(bed, vm.machine.image, async (liar) => {
      const timer = setInterval(() => {
        mostMib = Math.max(mostMib, residentMib(bed.agent('h2').pid));
      }, 20);
      await liar.flood(6);
      await until('all of it was applied', () => liar.acknowledgedBytes > 6 * pages * 4096);
      clearInterval(timer);
      liar.sendPage(5, 1, { hash: 1n });
    });
    // Six times would be 384 MiB. What former guests had may go meanwhile. Beside the guest's 64 there are its threads.
    expect(mostMib - beforeMib).toBeLessThan(160);
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
    const { operation } = await lieAsSource(bed, vm.machine.image, (liar) =>
      liar.sendPage(5, 1, { hash: 1n }),
    );
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
