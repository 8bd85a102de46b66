import type { HostView } from '@skein/shared';
import { afterEach, describe, expect, it } from 'vitest';
import { dialRaw } from './testing/scripted-agent.ts';
import { TestCluster } from './testing/test-cluster.ts';

let cluster: TestCluster;
afterEach(() => cluster.close());

const hostState = async (name: string): Promise<HostView['state']> =>
  (await cluster.get<HostView>(`/hosts/${name}`)).state;

describe('the loss of a host', () => {
  it('restarts its guests elsewhere with a timeline from the last heartbeat to the ready guest', async () => {
    cluster = await TestCluster.start(3);
    await cluster.boot('web1', 'h1');
    cluster.agent('h1').kill();
    const vm = await cluster.running('web1');
    expect(vm).toMatchObject({ epoch: 2 });
    expect(vm.host).not.toBe('h1');
    const [restart] =
      await cluster.get<{ kind: string; timeline: { name: string; atMs: number }[] }[]>('/operations');
    expect(restart?.kind).toBe('vm-restart');
    expect(restart?.timeline.map(({ name }) => name)).toEqual([
      'last heartbeat',
      'suspected',
      'declared failed',
      'placed',
      'lease over',
      'started',
      'first step',
      'ready',
    ]);
    const times = restart?.timeline.map(({ atMs }) => atMs) ?? [];
    expect([...times].sort((a, b) => a - b)).toEqual(times);
    expect(await hostState('h1')).toBe('failed');
  });

  it('restarts nothing while the guests renew their leases: the host is isolated', async () => {
    cluster = await TestCluster.start(2);
    const { id } = await cluster.boot('web1', 'h1');
    cluster.agent('h1').kill();
    const renewal = setInterval(() => cluster.storage.renew(id, 'h1', 1), 50);
    await cluster.eventually('h1 is isolated', async () => (await hostState('h1')) === 'isolated');
    expect(await cluster.vm('web1')).toMatchObject({ state: 'unknown', host: 'h1', epoch: 1 });
    expect(cluster.agent('h2').commands('vm.start')).toHaveLength(0);
    clearInterval(renewal);
    expect(await cluster.running('web1', 'h2')).toMatchObject({ epoch: 2 });
  });

  it('restarts nothing while the storage service cannot be asked', async () => {
    cluster = await TestCluster.start(2);
    await cluster.boot('web1', 'h1');
    cluster.storage.isMute = true;
    cluster.agent('h1').kill();
    await cluster.eventually('the reason is told', async () => {
      const { reason } = await cluster.get<HostView>('/hosts/h1');
      return reason?.includes('the storage service cannot be asked');
    });
    expect(cluster.agent('h2').commands('vm.start')).toHaveLength(0);
    cluster.storage.isMute = false;
    await cluster.running('web1', 'h2');
  });

  it('lets a restart wait, with its reason, until a host can take it', async () => {
    cluster = await TestCluster.start(2, 256);
    await cluster.boot('web1', 'h1', { memoryMib: 256 });
    await cluster.boot('web2', 'h2', { memoryMib: 256 });
    cluster.agent('h1').kill();
    const waiting = await cluster.eventually('it waits', async () => {
      const vm = await cluster.vm('web1');
      return vm.state === 'waiting' ? vm : null;
    });
    expect(waiting.reason).toContain(
      '0/2 hosts can run web1: h1 has failed; h2 has 0 MiB free of 256 needed',
    );
    cluster.addAgent(3, 512);
    await cluster.running('web1', 'h3');
  });

  it('restarts the guests of an agent that comes back without them', async () => {
    cluster = await TestCluster.start(1);
    await cluster.boot('web1', 'h1');
    cluster.agent('h1').kill();
    await cluster.eventually('it is missed', async () => (await hostState('h1')) !== 'connected');
    cluster.addAgent(1);
    expect(await cluster.running('web1', 'h1')).toMatchObject({ epoch: 2 });
  });
});

describe('a coordinator', () => {
  it('that restarts finds everything as it was and takes over nothing', async () => {
    cluster = await TestCluster.start(2);
    await cluster.boot('web1', 'h1');
    await cluster.stopCoordinator();
    await cluster.startCoordinator();
    expect(await cluster.running('web1', 'h1')).toMatchObject({ epoch: 1 });
    expect(cluster.agent('h1').commands('vm.start')).toHaveLength(1);
    expect(cluster.agent('h2').commands('vm.start')).toHaveLength(0);
  });

  it('restarts the guests of a host that died while it was away', async () => {
    cluster = await TestCluster.start(2);
    await cluster.boot('web1', 'h1');
    await cluster.stopCoordinator();
    cluster.agent('h1').kill();
    await cluster.startCoordinator();
    expect(await cluster.running('web1', 'h2')).toMatchObject({ epoch: 2 });
  });

  it('tells every agent who owns which MAC, with versions that grow over its restarts', async () => {
    cluster = await TestCluster.start(2);
    const { id, spec } = await cluster.boot('web1', 'h1');
    const mac = spec.machine.nics[0]?.mac;
    const owner = { mac, segment: 'lan', vm: id, host: 'h1', epoch: 1 };
    const seen = () => cluster.agent('h2').view?.owners[0];
    await cluster.eventually('h2 knows', () => seen() !== undefined);
    expect(seen()).toEqual(owner);
    expect(cluster.agent('h2').view?.peers.map(({ host }) => host)).toEqual(['h1', 'h2']);
    const before = cluster.agent('h2').view?.version ?? 0;
    await cluster.stopCoordinator();
    await cluster.startCoordinator();
    await cluster.eventually('a newer view', () => (cluster.agent('h2').view?.version ?? 0) > before);
    expect(seen()).toEqual(owner);
  });
});

describe('a cluster that was down as a whole', () => {
  it('starts each guest where it was, however late its host comes back', async () => {
    cluster = await TestCluster.start(3);
    for (const number of [1, 2, 3]) await cluster.boot(`web${number}`, `h${number}`);
    for (const agent of cluster.agents.values()) agent.kill();
    await cluster.stopCoordinator();
    await cluster.startCoordinator();
    for (const number of [1, 2, 3]) {
      cluster.addAgent(number);
      await cluster.running(`web${number}`, `h${number}`);
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    for (const number of [1, 2, 3])
      expect(await cluster.vm(`web${number}`)).toMatchObject({ host: `h${number}`, epoch: 2 });
  });

  it('does not wait for ever for a host that stays away', async () => {
    cluster = await TestCluster.start(3);
    for (const number of [1, 2, 3]) await cluster.boot(`web${number}`, `h${number}`);
    for (const agent of cluster.agents.values()) agent.kill();
    await cluster.stopCoordinator();
    await cluster.startCoordinator();
    cluster.addAgent(1);
    cluster.addAgent(2);
    const waiting = await cluster.eventually('web3 waits', async () => {
      const { state, reason } = await cluster.vm('web3');
      return state === 'waiting' && reason?.includes('may come back') ? reason : null;
    });
    expect(waiting).toContain('h3 may come back');
    expect((await cluster.running('web3')).host).not.toBe('h3');
  });
});

describe('an agent', () => {
  it('with the name of another one is refused while that one is there', async () => {
    cluster = await TestCluster.start(1);
    const { identity } = cluster.agent('h1');
    const bootId = 'e'.repeat(32);
    const link = await dialRaw({ agentPort: cluster.ports.agentPort }, { role: 'agent', name: 'h1', bootId });
    const status = { vms: [], silentPeers: [], usedMhz: 0, usedMemoryMib: 0 };
    const body = { identity: { ...identity, bootId }, status };
    await expect(link.request('agent.register', body, { deadlineMs: 2000 })).rejects.toMatchObject({
      code: 'name.taken',
    });
    const forged = { identity: { ...identity, name: 'h2', bootId }, status };
    await expect(link.request('agent.register', forged, { deadlineMs: 2000 })).rejects.toMatchObject({
      code: 'link.bad-message',
    });
    link.close();
    expect(await hostState('h1')).toBe('connected');
  });

  it('that does not hear our answers gets no lease, however often it knocks', async () => {
    cluster = await TestCluster.start(1);
    const { identity } = cluster.agent('h1');
    const link = await dialRaw(
      { agentPort: cluster.ports.agentPort },
      { role: 'agent-heartbeat', name: 'h1', bootId: identity.bootId },
    );
    const beat = (sequence: number) =>
      link.request(
        'heartbeat',
        { host: 'h1', bootId: identity.bootId, sequence, echo: 0 },
        { deadlineMs: 1000 },
      );
    expect(await beat(1_000_001)).toMatchObject({ granted: true });
    let sequence = 1_000_001;
    const refused = await cluster.eventually('a refusal', async () => {
      sequence += 1;
      const reply = await beat(sequence);
      return reply.granted ? null : reply;
    });
    expect(refused).toEqual({ sequence, granted: false, ttlMs: 0 });
    link.close();
  });
});
