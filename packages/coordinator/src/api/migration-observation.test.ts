import type { ClusterEvent, MigrationObservation, OperationView } from '@skein/shared';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { migrationRecord } from '../testing/migration-record.ts';
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

const seen: MigrationObservation = {
  guest: { gapMs: 9.25, controlGapMs: 1.5, readings: 90, lost: 0 },
  network: null,
};

interface Reply {
  readonly status: number;
  readonly body: unknown;
}

async function observe(id: string, observation: unknown): Promise<Reply> {
  const response = await cluster.fetch('PUT', `/v1/operations/${id}/observation`, observation);
  return { status: response.status, body: await response.json() };
}

describe('what was observed of a migration', () => {
  it('is refused while there is no record that it could stand beside', async () => {
    const { operation } = await cluster.post('/vms/web1/migrate', { host: 'h2' });
    migration = operation ?? '';
    await cluster.eventually(
      'the target was told',
      () => cluster.agent('h2').commands('migration.target').length > 0,
    );
    expect(await observe(migration, seen)).toMatchObject({
      status: 404,
      body: { code: 'migration.no-record' },
    });
    cluster.storage.pass(vm, 'h2');
    cluster.agent('h2').put(vm, 'web1', 2, 'running');
    cluster.agent('h1').set(vm, { state: 'stopped', reason: 'migrated away' });
    const moved = { operation: migration, vm, from: 'h1', to: 'h2', outcome: 'committed' } as const;
    const record = migrationRecord({ ...moved, reason: null, epochBefore: 1, epochAfter: 2 });
    await cluster.agent('h1').migrationEnded('source', record);
    await cluster.ended(migration);
  });

  it('stands beside its record from then on, also after a restart, and is an event', async () => {
    const before = await cluster.operation(migration);
    expect(before.observation).toBeNull();
    expect(await observe(migration, seen)).toEqual({ status: 200, body: { ...before, observation: seen } });
    await cluster.stopCoordinator();
    await cluster.startCoordinator();
    expect((await cluster.operation(migration)).observation).toEqual(seen);
    const { events } = await cluster.get<{ events: ClusterEvent[] }>('/events?limit=1000');
    expect(events.filter(({ type }) => type === 'migration.observed')).toMatchObject([
      {
        subject: 'vm/web1',
        message: "the migration of web1 was observed: 9.25 ms by the guest's clock",
        details: { operation: migration, ...seen },
      },
    ]);
  });

  it('is replaced by what is said later', async () => {
    const later = { guest: null, network: { gapMs: 20, controlGapMs: null, readings: 4, lost: 1 } };
    expect((await observe(migration, later)).status).toBe(200);
    expect((await cluster.operation(migration)).observation).toEqual(later);
  });

  it.each<readonly [string, unknown]>([
    ['nothing at all', undefined],
    ['one clock alone', { guest: null }],
    ['a gap before its beginning', { ...seen, guest: { ...seen.guest, gapMs: -1 } }],
    ['a fraction of a reading', { ...seen, guest: { ...seen.guest, readings: 1.5 } }],
    ['a clock that there is not', { ...seen, sundial: null }],
  ])('is refused where it is %s', async (_what, observation) => {
    const { observation: before } = await cluster.operation(migration);
    expect(await observe(migration, observation)).toMatchObject({
      status: 400,
      body: { code: 'request.invalid' },
    });
    expect((await cluster.operation(migration)).observation).toEqual(before);
  });

  it('is refused of what is no migration, and of what is not there', async () => {
    const operations = await cluster.get<OperationView[]>('/operations');
    const start = operations.find(({ kind }) => kind === 'vm-start')?.id ?? '';
    expect(await observe(start, seen)).toMatchObject({ status: 400, body: { code: 'operation.wrong-kind' } });
    const none = `op-${'0'.repeat(16)}`;
    expect(await observe(none, seen)).toMatchObject({ status: 404, body: { code: 'operation.not-found' } });
  });
});
