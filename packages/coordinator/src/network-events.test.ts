import type { ClusterEvent, HostView, Problem } from '@skein/shared';
import { afterEach, describe, expect, it } from 'vitest';
import { TestCluster } from './testing/test-cluster.ts';

let cluster: TestCluster;
afterEach(() => cluster.close());

const host = (name: string): Promise<HostView> => cluster.get(`/hosts/${name}`);

async function eventsOf(type: string): Promise<ClusterEvent[]> {
  const { events } = await cluster.get<{ events: ClusterEvent[] }>('/events?limit=1000');
  return events.filter((event) => event.type === type);
}

const lost = () =>
  cluster.eventually('h1 and h2 are marked', async () => (await host('h1')).lostPeers.length > 0);

async function migrate(name: string, to?: string): Promise<{ status: number; problem: Problem }> {
  const response = await cluster.fetch(
    'POST',
    `/v1/vms/${name}/migrate`,
    to === undefined ? {} : { host: to },
  );
  return { status: response.status, problem: (await response.json()) as Problem };
}

describe('two hosts that lost each other', () => {
  it('are marked with the reason, refused a migration between them at once, and gone round by others', async () => {
    cluster = await TestCluster.start(3);
    await cluster.boot('web1', 'h1');
    cluster.agent('h2').missesOnMigration('h1');
    await lost();
    expect((await host('h1')).lostPeers).toMatchObject([
      { host: 'h2', network: 'migration', reason: 'h2 does not hear h1' },
    ]);
    expect((await host('h2')).lostPeers).toMatchObject([{ host: 'h1' }]);
    expect((await host('h3')).lostPeers).toEqual([]);
    expect(await eventsOf('host.pair-lost')).toMatchObject([
      {
        subject: 'host/h1',
        message: 'h1 and h2 have lost each other on the migration network: h2 does not hear h1',
        details: { network: 'migration', host: 'h1', peer: 'h2' },
      },
    ]);
    const refused = await migrate('web1', 'h2');
    expect(refused).toMatchObject({
      status: 409,
      problem: { code: 'migration.partitioned', details: { hosts: ['h1', 'h2'], network: 'migration' } },
    });
    for (const word of ['h1', 'h2', 'migration network', 'h2 does not hear h1'])
      expect(JSON.stringify(refused.problem)).toContain(word);
    expect(cluster.agent('h1').commands('migration.source')).toEqual([]);
    await cluster.post('/vms/web1/migrate', {});
    await cluster.eventually(
      'h3 is the target',
      () => cluster.agent('h3').commands('migration.target').length > 0,
    );
  });

  it('are found again when both hear each other for a while', async () => {
    cluster = await TestCluster.start(2);
    cluster.agent('h1').missesOnMigration('h2');
    await lost();
    cluster.agent('h1').missesOnMigration();
    await cluster.eventually('they are found', async () => (await host('h2')).lostPeers.length === 0);
    expect(await eventsOf('host.pair-restored')).toMatchObject([
      { message: 'h1 and h2 hear each other on the migration network again' },
    ]);
  });

  it('have not failed: nothing of them is restarted', async () => {
    cluster = await TestCluster.start(2);
    await cluster.boot('web1', 'h1');
    cluster.agent('h1').missesOnMigration('h2');
    cluster.agent('h2').missesOnMigration('h1');
    await lost();
    await new Promise((resolve) => setTimeout(resolve, 1000));
    for (const { state } of await cluster.get<HostView[]>('/hosts')) expect(state).toBe('connected');
    expect(await cluster.vm('web1')).toMatchObject({ state: 'running', host: 'h1', epoch: 1 });
    expect(await eventsOf('host.suspect')).toEqual([]);
  });

  it('are no reason not to restart the guests of one of them on the other', async () => {
    cluster = await TestCluster.start(2);
    await cluster.boot('web1', 'h1');
    cluster.agent('h2').missesOnMigration('h1');
    await lost();
    cluster.agent('h1').kill();
    expect(await cluster.running('web1', 'h2')).toMatchObject({ epoch: 2 });
    // What is left of the pair is a host that has failed.
    expect((await host('h2')).lostPeers).toEqual([]);
  });

  it('are known again after a restart of the coordinator', async () => {
    cluster = await TestCluster.start(2);
    cluster.agent('h1').missesOnMigration('h2');
    await lost();
    await cluster.stopCoordinator();
    await cluster.startCoordinator();
    await lost();
  });
});

describe('a host that is missed by its peers', () => {
  it('and is silent here as well makes no lost pair', async () => {
    cluster = await TestCluster.start(3);
    cluster.agent('h2').kill();
    await cluster.eventually('it is suspect', async () => (await host('h2')).state !== 'connected');
    cluster.agent('h1').missesOnMigration('h2');
    cluster.agent('h3').missesOnMigration('h2');
    await cluster.eventually('it has failed', async () => (await host('h2')).state === 'failed');
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(await eventsOf('host.pair-lost')).toEqual([]);
  });
});

describe('what happened to the networks of a host', () => {
  const down = { network: 'management', from: '127.0.0.1', to: null, sequence: 1 } as const;
  const up = { network: 'management', from: null, to: '127.0.0.1', sequence: 2 } as const;

  it('is told late if it could not be told before, with how long ago it was, and once', async () => {
    cluster = await TestCluster.start(1);
    const agent = cluster.agent('h1');
    const beforeMs = Date.now();
    await agent.networksChanged({ ...down, agoMs: 12_345 }, { ...up, agoMs: 300 });
    await agent.networksChanged({ ...down, agoMs: 12_400 }, { ...up, agoMs: 355 });
    const [told, ...more] = await eventsOf('host.link-down');
    expect(more).toEqual([]);
    expect(told).toMatchObject({
      subject: 'host/h1',
      details: { network: 'management', from: '127.0.0.1', to: null },
    });
    expect(told?.message).toMatch(/^h1 lost the management network: .*; that was 12\.3 s ago/);
    expect(Number(told?.details.happenedAtMs) - (beforeMs - 12_345)).toBeLessThan(5000);
    expect(await eventsOf('host.link-up')).toMatchObject([
      { message: 'h1 is on the management network at 127.0.0.1' },
    ]);
  });
});
