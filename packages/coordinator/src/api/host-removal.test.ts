import type { ClusterEvent, HostView } from '@skein/shared';
import { afterEach, describe, expect, it } from 'vitest';
import { TestCluster } from '../testing/test-cluster.ts';

let cluster: TestCluster;
afterEach(() => cluster.close());

const names = async (): Promise<string[]> =>
  (await cluster.get<HostView[]>('/hosts')).map(({ name }) => name);
const hasFailed = (host: string) =>
  cluster.eventually(
    `${host} has failed`,
    async () => (await cluster.get<HostView>(`/hosts/${host}`)).state === 'failed',
  );
const remove = async (host: string) => {
  const response = await cluster.fetch('DELETE', `/v1/hosts/${host}`);
  return { status: response.status, body: (await response.json()) as { code?: string; message?: string } };
};

describe('the removal of a host', () => {
  it('is refused while it lives, and forgets it when it has failed, for good', async () => {
    cluster = await TestCluster.start(2);
    await cluster.boot('web1', 'h1');
    const refused = await remove('h1');
    expect(refused).toMatchObject({ status: 409, body: { code: 'host.wrong-state' } });
    expect(refused.body.message).toContain('h1 is connected');
    cluster.agent('h1').kill();
    await cluster.running('web1', 'h2');
    await hasFailed('h1');
    expect(await remove('h1')).toMatchObject({ status: 200, body: { name: 'h1', state: 'failed' } });
    expect(await names()).toEqual(['h2']);
    expect(await remove('h1')).toMatchObject({ status: 404, body: { code: 'host.not-found' } });
    const { events } = await cluster.get<{ events: ClusterEvent[] }>('/events?limit=1000');
    expect(events.filter(({ type }) => type === 'host.removed')).toHaveLength(1);
    await cluster.stopCoordinator();
    await cluster.startCoordinator();
    expect(await names()).toEqual(['h2']);
    cluster.addAgent(1);
    await cluster.eventually('it came back as a new one', async () => (await names()).includes('h1'));
  });

  it('waits for VMs that are to be restarted from it; those that are off are at home nowhere then', async () => {
    cluster = await TestCluster.start(3, 256);
    for (const number of [1, 2, 3]) await cluster.boot(`web${number}`, `h${number}`, { memoryMib: 200 });
    cluster.agent('h1').kill();
    await hasFailed('h1');
    await cluster.eventually('its restart waits', async () => (await cluster.vm('web1')).state === 'waiting');
    const refused = await remove('h1');
    expect(refused).toMatchObject({ status: 409, body: { code: 'host.wrong-state' } });
    expect(refused.body.message).toContain('web1');
    await cluster.ended((await cluster.post('/vms/web1/stop')).operation);
    expect(await remove('h1')).toMatchObject({ status: 200 });
    expect(await names()).toEqual(['h2', 'h3']);
    expect(await cluster.vm('web1')).toMatchObject({ state: 'stopped', host: null });
  });
});
