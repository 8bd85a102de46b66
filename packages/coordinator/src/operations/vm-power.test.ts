import { OperationError, type OperationView } from '@skein/shared';
import { afterEach, describe, expect, it } from 'vitest';
import { TestCluster } from '../testing/test-cluster.ts';

let cluster: TestCluster;
afterEach(() => cluster.close());

const stepsOf = (operation: OperationView): string[] => operation.timeline.map(({ name }) => name);

describe('a start', () => {
  it('places the VM on the least loaded host and powers it on with the epoch of its lease', async () => {
    cluster = await TestCluster.start(2);
    await cluster.boot('web1', 'h1');
    const { operation } = await cluster.create('web2');
    const ended = await cluster.ended(operation);
    expect(ended).toMatchObject({ kind: 'vm-start', state: 'succeeded', host: 'h2', problem: null });
    expect(stepsOf(ended)).toEqual(['placed', 'lease over', 'started', 'first step']);
    expect(await cluster.vm('web2')).toMatchObject({ state: 'running', host: 'h2', epoch: 1 });
  });

  it('is refused when no host fits, and leaves nothing behind', async () => {
    cluster = await TestCluster.start(1, 256);
    await expect(cluster.create('big', { memoryMib: 512 })).rejects.toThrow(
      /409.*0\/1 hosts can run big: h1 has 256 MiB free of 512 needed/,
    );
    await expect(cluster.vm('big')).rejects.toThrow(/404/);
  });

  it('is refused for an address that another VM has on that segment', async () => {
    cluster = await TestCluster.start(1);
    const nics = (address: string) => ({ start: false, nics: [{ segment: 'lan', address }] });
    await cluster.create('web1', nics('10.77.0.11/24'));
    await expect(cluster.create('web2', nics('10.77.0.11/16'))).rejects.toThrow(
      /409.*web1 has the address 10\.77\.0\.11 on lan already/,
    );
    await cluster.create('web2', nics('10.77.0.12/24'));
  });

  it('goes to another host when the first one has no room after all', async () => {
    cluster = await TestCluster.start(2);
    cluster.agent('h1').before = (command) => {
      if (command === 'vm.start')
        throw new OperationError({ code: 'host.out-of-memory', message: 'no room' });
    };
    const { operation } = await cluster.create('web1');
    expect(await cluster.ended(operation)).toMatchObject({ state: 'succeeded', host: 'h2' });
    expect(cluster.agent('h1').commands('vm.start')).toHaveLength(1);
  });

  it('that an agent refuses leaves the VM off', async () => {
    cluster = await TestCluster.start(2);
    for (const agent of cluster.agents.values()) {
      agent.before = () => {
        throw new OperationError({ code: 'image.not-found', message: 'no such image' });
      };
    }
    const { operation } = await cluster.create('web1');
    expect(await cluster.ended(operation)).toMatchObject({
      state: 'failed',
      problem: { code: 'image.not-found' },
    });
    expect(await cluster.vm('web1')).toMatchObject({ state: 'stopped', host: null, spec: { power: 'off' } });
  });

  it('waits while another holds the lease', async () => {
    cluster = await TestCluster.start(1);
    const { vm } = await cluster.create('web1', { start: false });
    cluster.storage.acquire(vm.id, 'h9', 0);
    const { operation } = await cluster.post('/vms/web1/start');
    const waiting = await cluster.eventually('a reason', async () => (await cluster.vm('web1')).reason);
    expect(waiting).toBe('h9 holds its lease until it runs out');
    expect(await cluster.ended(operation)).toMatchObject({ state: 'succeeded' });
    expect(await cluster.vm('web1')).toMatchObject({ epoch: 2 });
  });
});

describe('a stop', () => {
  it('powers the VM off for good', async () => {
    cluster = await TestCluster.start(1);
    await cluster.boot('web1', 'h1');
    const { operation } = await cluster.post('/vms/web1/stop');
    expect(await cluster.ended(operation)).toMatchObject({ kind: 'vm-stop', state: 'succeeded' });
    expect(await cluster.vm('web1')).toMatchObject({ state: 'stopped', host: null });
    expect(await cluster.post('/vms/web1/stop')).toMatchObject({ operation: null });
  });

  it('of a VM on a lost host is done when its lease is over', async () => {
    cluster = await TestCluster.start(1);
    await cluster.boot('web1', 'h1');
    cluster.agent('h1').kill();
    await cluster.eventually('h1 is missed', async () => (await cluster.vm('web1')).state === 'unknown');
    const { operation } = await cluster.post('/vms/web1/stop');
    expect(await cluster.ended(operation)).toMatchObject({ state: 'succeeded' });
  });
});

describe('a deletion', () => {
  it('is refused while the VM is on, and forgets it when it is off', async () => {
    cluster = await TestCluster.start(1);
    await cluster.boot('web1', 'h1');
    expect((await cluster.fetch('DELETE', '/v1/vms/web1')).status).toBe(409);
    await cluster.ended((await cluster.post('/vms/web1/stop')).operation);
    const response = await cluster.fetch('DELETE', '/v1/vms/web1');
    const { operation } = (await response.json()) as { operation: string };
    expect(await cluster.ended(operation)).toMatchObject({
      kind: 'vm-delete',
      state: 'succeeded',
      vmName: 'web1',
    });
    await expect(cluster.vm('web1')).rejects.toThrow(/404/);
  });
});

describe('a guest that ends by itself', () => {
  it('is left off when it powered itself off', async () => {
    cluster = await TestCluster.start(1);
    const { id } = await cluster.boot('web1', 'h1');
    cluster.agent('h1').end(id, 'the guest: power off');
    const vm = await cluster.eventually('it is off', async () => {
      const view = await cluster.vm('web1');
      return view.spec.power === 'off' ? view : null;
    });
    expect(vm).toMatchObject({ state: 'stopped', host: null, reason: 'the guest: power off' });
    expect(cluster.agent('h1').commands('vm.start')).toHaveLength(1);
  });

  it('is started again on the same host when it reboots or its worker fails', async () => {
    cluster = await TestCluster.start(3);
    const { id } = await cluster.boot('web1', 'h3');
    for (const [reason, epoch] of [
      ['the guest: power reboot', 2],
      ['its thread ended', 3],
    ] as const) {
      cluster.agent('h3').end(id, reason);
      await cluster.eventually('it is started again', async () => (await cluster.vm('web1')).epoch === epoch);
      expect(await cluster.running('web1')).toMatchObject({ host: 'h3', epoch });
    }
  });
});

describe('the coordinator', () => {
  it('goes on with a start that was under way when it ended, with one effect', async () => {
    cluster = await TestCluster.start(1);
    let release = (): void => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    cluster.agent('h1').before = (command) => (command === 'vm.start' ? gate : undefined);
    const { operation } = await cluster.create('web1');
    await cluster.eventually(
      'the agent was told',
      () => cluster.agent('h1').commands('vm.start').length === 1,
    );
    await cluster.stopCoordinator();
    await cluster.startCoordinator();
    await cluster.eventually('told again', () => cluster.agent('h1').commands('vm.start again').length > 0);
    release();
    expect(await cluster.ended(operation)).toMatchObject({ state: 'succeeded', host: 'h1' });
    expect(await cluster.running('web1')).toMatchObject({ epoch: 1 });
    expect(cluster.agent('h1').commands('vm.start')).toHaveLength(1);
  });

  it('stops a copy that was overtaken by a newer epoch', async () => {
    cluster = await TestCluster.start(2);
    const { id } = await cluster.boot('web1', 'h1');
    cluster.storage.pass(id, 'h2');
    cluster.agent('h2').put(id, 'web1', 2, 'running');
    expect(await cluster.running('web1', 'h2')).toMatchObject({ epoch: 2 });
    await cluster.eventually('h1 lost it', () => cluster.agent('h1').vms.get(id)?.state === 'stopped');
  });

  it('does not start a VM twice for two requests', async () => {
    cluster = await TestCluster.start(1);
    cluster.agent('h1').before = (command) =>
      command === 'vm.start' ? new Promise((resolve) => setTimeout(resolve, 50)) : undefined;
    const { operation } = await cluster.create('web1');
    await expect(cluster.post('/vms/web1/start')).rejects.toThrow(/409.*vm\.busy/);
    await cluster.ended(operation);
    expect(await cluster.post('/vms/web1/start')).toMatchObject({ operation: null });
  });
});
