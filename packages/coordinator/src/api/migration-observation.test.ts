import type { ClusterEvent, ObservedClock, ObservedGap, OperationView } from '@skein/shared';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { beginMove, commitMove, moveRecord } from '../testing/scripted-move.ts';
import { TestCluster } from '../testing/test-cluster.ts';

let cluster: TestCluster;
let vm: string;
/** What moved web1. */
let migration: string;

beforeAll(async () => {
  cluster = await TestCluster.start(2);
  ({ id: vm } = await cluster.boot('web1', 'h1'));
});
afterAll(() => cluster.close());

const gap: ObservedGap = {
  gapMs: 9.25,
  hasEnded: true,
  windowMs: 90,
  readings: 80,
  lost: 0,
  controlGapMs: 1.5,
  controlWindowMs: 1001,
};

interface Reply {
  readonly status: number;
  readonly body: unknown;
}

async function observe(id: string, clock: ObservedClock | 'sundial', told: unknown): Promise<Reply> {
  const response = await cluster.fetch('PUT', `/v1/operations/${id}/observation/${clock}`, told);
  return { status: response.status, body: await response.json() };
}

async function observedEvents(): Promise<readonly ClusterEvent[]> {
  const { events } = await cluster.get<{ events: ClusterEvent[] }>('/events?limit=1000');
  return events.filter(({ type }) => type === 'migration.observed');
}

describe('what was observed of a migration', () => {
  it('is refused while it runs', async () => {
    migration = await beginMove(cluster);
    expect(await observe(migration, 'guest', gap)).toMatchObject({ status: 409, body: { code: 'vm.busy' } });
    commitMove(cluster, vm);
    await cluster.agent('h1').migrationEnded('source', moveRecord(migration, vm, 'committed'));
    await cluster.ended(migration);
  });

  it('stands beside its record from then on, and is an event', async () => {
    const before = await cluster.operation(migration);
    expect(before.observation).toEqual({ guest: null, network: null });
    const after = { ...before, observation: { guest: gap, network: null } };
    expect(await observe(migration, 'guest', gap)).toEqual({ status: 200, body: after });
    expect((await cluster.operation(migration)).observation).toEqual(after.observation);
    expect(await observedEvents()).toMatchObject([
      {
        subject: 'vm/web1',
        message: "the migration of web1 was observed: by the guest's clock 9.25 ms",
        details: { operation: migration, clock: 'guest', ...gap },
      },
    ]);
  });

  it('is kept when a host tells its record later', async () => {
    await cluster.agent('h2').migrationEnded('target', moveRecord(migration, vm, 'committed'));
    expect((await cluster.operation(migration)).observation).toEqual({ guest: gap, network: null });
  });

  it('changes nothing where the same is said again, and replaces what was said of that clock alone', async () => {
    const events = await observedEvents();
    expect((await observe(migration, 'guest', gap)).status).toBe(200);
    expect(await observedEvents()).toHaveLength(events.length);
    const silent = { ...gap, gapMs: 5000, hasEnded: false };
    expect((await observe(migration, 'network', silent)).status).toBe(200);
    expect((await observe(migration, 'guest', { ...gap, lost: 1 })).status).toBe(200);
    expect((await cluster.operation(migration)).observation).toEqual({
      guest: { ...gap, lost: 1 },
      network: silent,
    });
    expect((await observedEvents()).map(({ message }) => message).slice(-2)).toEqual([
      "the migration of web1 was observed: by the network's clock 5000.00 ms and more, for it was not heard again",
      "the migration of web1 was observed: by the guest's clock 9.25 ms",
    ]);
  });

  it.each<readonly [string, ObservedClock | 'sundial', unknown]>([
    ['nothing at all', 'guest', undefined],
    ['of a clock that there is not', 'sundial', gap],
    ['a gap before its beginning', 'guest', { ...gap, gapMs: -1 }],
    ['of no reading', 'guest', { ...gap, readings: 0 }],
    ['of a fraction of a reading', 'network', { ...gap, readings: 1.5 }],
    ['more than there is', 'network', { ...gap, weather: 'fine' }],
  ])('is refused where it is %s', async (_what, clock, told) => {
    const { observation: before } = await cluster.operation(migration);
    expect(await observe(migration, clock, told)).toMatchObject({
      status: 400,
      body: { code: 'request.invalid' },
    });
    expect((await cluster.operation(migration)).observation).toEqual(before);
  });

  it('outlives the coordinator', async () => {
    const { observation } = await cluster.operation(migration);
    await cluster.stopCoordinator();
    await cluster.startCoordinator();
    expect((await cluster.operation(migration)).observation).toEqual(observation);
    expect(observation.network).not.toBeNull();
  });

  it('is refused of what is no migration, and of what is not there', async () => {
    const operations = await cluster.get<OperationView[]>('/operations');
    const start = operations.find(({ kind }) => kind === 'vm-start')?.id ?? '';
    expect(await observe(start, 'guest', gap)).toMatchObject({
      status: 400,
      body: { code: 'operation.wrong-kind' },
    });
    const none = `op-${'0'.repeat(16)}`;
    expect(await observe(none, 'guest', gap)).toMatchObject({
      status: 404,
      body: { code: 'operation.not-found' },
    });
  });
});
