/**
 * The downtime of a migration by three clocks, in a whole cluster: the hypervisor's, that of the guest which moves and ticks, and
 * that of another guest which pings it. What is observed stands beside the record from then on.
 */
import { type ObservedGap, type OperationView, readLedger } from '@skein/shared';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cluster, type Console } from '../support/cluster.ts';

let cluster: Cluster;
let web1: Console;
let web2: Console;

beforeAll(async () => {
  cluster = await Cluster.start(2);
  web1 = await cluster.boot('web1', 'h1', '10.77.0.11');
  web2 = await cluster.boot('web2', 'h2', '10.77.0.12');
});
afterAll(() => cluster.close());

const toNs = (ms: number): number => Math.round(ms * 1e6);

/** All gaps between lines that follow each other on a console, in ns of its guest's clock. */
function gapsNs({ text }: Console, line: RegExp): readonly number[] {
  const atNs = [...text.matchAll(line)].map(([, ns]) => BigInt(ns ?? 0));
  return atNs.slice(1).map((ns, index) => Number(ns - (atNs[index] ?? 0n)));
}

const tickGapsNs = (): readonly number[] => gapsNs(web1, /^t \d+ (\d+)\r?$/gm);
const answerGapsNs = (): readonly number[] => gapsNs(web2, /^p \d+ \d+ (\d+)\r?$/gm);

/** As many gaps as there are readings but one are as long as its window, with its gap the longest of them. */
function expectAmong(gap: ObservedGap | null, gaps: readonly number[]): void {
  if (gap === null) throw new Error('nothing was observed');
  const whereOf = gaps.flatMap((_, start) => {
    const during = gaps.slice(start, start + gap.readings - 1);
    const windowNs = during.reduce((sum, ns) => sum + ns, 0);
    return windowNs === toNs(gap.windowMs) && Math.max(...during) === toNs(gap.gapMs) ? [start] : [];
  });
  expect(whereOf.length).toBeGreaterThan(0);
}

function momentsOf(migration: OperationView['migration']): { suspendedMs: number; readyMs: number } {
  const suspendedMs = migration?.moments?.suspendedMs ?? null;
  const readyMs = migration?.moments?.readyMs ?? null;
  if (suspendedMs === null || readyMs === null) throw new Error('a committed migration has these moments');
  return { suspendedMs, readyMs };
}

describe('a migration that is to be observed', () => {
  it('is not begun where nothing tells its time, and says how that is mended', async () => {
    expect(await cluster.refusal('vm', 'migrate', 'web1', '--to', 'h2', '--observe-ticks')).toMatchObject({
      code: 'observation.nothing-heard',
      exitCode: 4,
      message: expect.stringMatching(/^the migration was not begun: no ticks .* web1 .* type `ticker` in it/),
    });
    expect(await cluster.vm('web1')).toMatchObject({ state: 'running', host: 'h1', epoch: 1 });
    expect(await cluster.skein('migration', 'list', '--output', 'json')).toBe('[]\n');
  });

  it('has its downtime by the clocks of guest and network beside the record: the gaps that are on the consoles', async () => {
    web1.type('ticker\n');
    await web1.until(/^t 200 /m);
    web2.type('pinger 10.77.0.11 5\n');
    await web2.until(/^p 20 /m);
    const observed = ['--observe-ticks', '--observe-pings', 'web2'];
    const told = await cluster.skein('vm', 'migrate', 'web1', '--to', 'h2', ...observed, '--output', 'json');
    const { id, migration, observation } = JSON.parse(told) as OperationView;
    const { guest, network } = observation;
    expect(migration).toMatchObject({ outcome: 'committed', from: 'h1', to: 'h2' });
    expectAmong(guest, tickGapsNs());
    expectAmong(network, answerGapsNs());
    // No tick is made while the guest stands: until the target is ready, for from then on it has a head start there, in the downtime.
    // Both its time and these moments are right to within the error of the clocks.
    const errorMs = 2 * (migration?.clockOffsetErrorMs ?? 0);
    const { suspendedMs, readyMs } = momentsOf(migration);
    expect(guest?.gapMs).toBeGreaterThan(readyMs - suspendedMs - errorMs);
    expect(guest).toMatchObject({ hasEnded: true, lost: 0 });
    expect((await cluster.operation(id)).observation).toEqual(observation);

    const { downtime, observations } = readLedger(await cluster.skein('migration', 'ledger', id));
    const clocks = { hypervisor: migration?.downtimeMs, guest: guest?.gapMs, network: network?.gapMs };
    expect(downtime?.clocks).toEqual(clocks);
    expect(observations.map(({ clock }) => clock)).toEqual(['guest', 'network']);
    expect(await cluster.skein('migration', 'report', id, '-o', '-')).not.toContain('not observed');
    expect(await cluster.skein('describe', 'operation', id)).toMatch(
      /\n {2}guest +[\d.]+ ms at most between two of \d+ ticks .*\n {2}network +[\d.]+ ms at most between two of \d+ answers to pings/,
    );
  });

  it('and is given up is observed as well: the guest that stayed', async () => {
    const options = ['--deadline', '1s', '--bandwidth', '64KiB', '--observe-ticks'];
    const refusal = await cluster.refusal('vm', 'migrate', 'web1', '--to', 'h1', ...options);
    expect(refusal).toMatchObject({ code: 'migration.aborted' });
    const last = await lastMigration();
    expect(last).toMatchObject({
      state: 'failed',
      observation: { guest: { hasEnded: true }, network: null },
    });
    expectAmong(last?.observation.guest ?? null, tickGapsNs());
    expect(await cluster.vm('web1')).toMatchObject({ state: 'running', host: 'h2' });
  });

  it('goes on where its coordinator restarts meanwhile: that its observation was lost is said', async () => {
    const options = ['--to', 'h1', '--bandwidth', '8MiB', '--observe-ticks'];
    const moving = cluster.told('vm', 'migrate', 'web1', ...options);
    await cluster.eventually(
      'pages are sent',
      async () => (await lastMigration())?.progress?.phase === 'pre-copy',
    );
    await cluster.kill('coordinator');
    await cluster.restart('coordinator');
    const { stderr } = await moving;
    const last = await lastMigration();
    expect(stderr).toContain(`what was observed of ${last?.id} does not stand beside it: `);
    expect(last).toMatchObject({
      state: 'succeeded',
      migration: { outcome: 'committed', from: 'h2', to: 'h1' },
      observation: { guest: null, network: null },
    });
  });
});

async function lastMigration(): Promise<OperationView | undefined> {
  const [last] = JSON.parse(await cluster.skein('migration', 'list', '--output', 'json')) as OperationView[];
  return last;
}
