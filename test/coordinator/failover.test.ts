import { afterEach, describe, expect, it } from 'vitest';
import { CoordinatorBed } from './coordinator-bed.ts';

let bed: CoordinatorBed;
afterEach(() => bed.close());

describe('the loss of a host', () => {
  it('restarts its VMs elsewhere, once both leases are over, with a timeline', async () => {
    bed = await CoordinatorBed.start(['h1', 'h2', 'h3']);
    const { id } = await bed.running('web1', 'h1');
    await bed.running('stays', 'h2');
    const killedAtMs = performance.now();
    bed.agent('h1').kill();
    await bed.hostIs('h1', 'suspect');
    const after = await bed.vmIs(
      'web1',
      ({ host, state }) => host !== 'h1' && state === 'running',
      'runs again',
    );
    expect(after.epoch).toBe(2);
    // Never before the VM's own lease could be over; in the end about two seconds.
    expect(performance.now() - killedAtMs).toBeGreaterThan(1000);
    expect(await bed.host('h1')).toMatchObject({ state: 'failed', pid: null });
    const agent = bed.agent(after.host ?? '');
    const vm = agent.vmNamed('web1');
    if (vm === undefined) throw new Error('it runs there');
    vm.readyMs = 1234;
    agent.changed();
    const restart = (await bed.operations()).find(({ kind }) => kind === 'vm-restart');
    const operation = await bed.succeeded(restart?.id ?? null);
    expect(operation).toMatchObject({ vm: id, vmName: 'web1' });
    const names = operation.timeline.map(({ name }) => name);
    const wanted = ['last heartbeat', 'suspected', 'placed', 'lease over', 'started', 'first step', 'ready'];
    expect(names).toEqual(expect.arrayContaining(wanted));
    const times = operation.timeline.map(({ atMs }) => atMs);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    expect(await bed.vm('stays')).toMatchObject({ host: 'h2', epoch: 1 });
    const events = (await bed.events())
      .filter(({ subject }) => subject === 'host/h1')
      .map(({ type }) => type);
    expect(events.slice(-2)).toEqual(['host.suspect', 'host.failed']);
  });

  it('lets a VM that fits nowhere wait with its reason, and starts it as soon as a host has room', async () => {
    bed = await CoordinatorBed.start(['h1', 'h2']);
    const { operation } = await bed.create('web1', { host: 'h1', memoryMib: 800 });
    await bed.succeeded(operation);
    await bed.succeeded((await bed.create('full', { host: 'h2', memoryMib: 800 })).operation);
    bed.agent('h1').kill();
    const waiting = await bed.vmIs('web1', ({ state }) => state === 'waiting', 'waits');
    expect(waiting.reason).toContain('0/2 hosts can run web1');
    expect(waiting.reason).toContain('h1 has failed');
    expect(waiting.reason).toContain('h2 has 224 MiB free of 800 needed');
    bed.addAgent('h3');
    await bed.vmIs('web1', ({ host, state }) => host === 'h3' && state === 'running', 'runs on h3');
    expect((await bed.vm('web1')).reason).toBeNull();
  });

  it('takes back a waiting restart when the VM is not wanted any more', async () => {
    bed = await CoordinatorBed.start(['h1']);
    await bed.running('web1', 'h1');
    bed.agent('h1').kill();
    await bed.vmIs('web1', ({ state }) => state === 'waiting', 'waits');
    const stop = await bed.change('POST', '/v1/vms/web1/stop');
    if (stop.operation !== null) await bed.succeeded(stop.operation);
    await bed.vmIs('web1', ({ state }) => state === 'stopped', 'is off');
    bed.addAgent('h2');
    await bed.hostIs('h2', 'connected');
    expect(await bed.vm('web1')).toMatchObject({ state: 'stopped', host: null });
    await bed.succeeded((await bed.change('DELETE', '/v1/vms/web1')).operation);
  });

  it('starts the most urgent and then the largest VM first', async () => {
    bed = await CoordinatorBed.start(['h1', 'h2']);
    const wanted = [
      { name: 'late', memoryMib: 64, restartPriority: 5 },
      { name: 'small', memoryMib: 64 },
      { name: 'large', memoryMib: 256 },
      { name: 'urgent', memoryMib: 64, restartPriority: 1 },
    ];
    for (const { name, ...more } of wanted) {
      await bed.succeeded((await bed.create(name, { host: 'h1', ...more })).operation);
    }
    bed.agent('h1').kill();
    for (const { name } of wanted) {
      await bed.vmIs(name, ({ host, state }) => host === 'h2' && state === 'running', 'runs again');
    }
    const restarts = (await bed.operations()).filter(({ kind }) => kind === 'vm-restart').toReversed();
    expect(restarts.map(({ vmName }) => vmName)).toEqual(['urgent', 'large', 'small', 'late']);
  });
});

describe('a host that is not lost', () => {
  it('is isolated while its VM leases are renewed: nothing of it is restarted', async () => {
    bed = await CoordinatorBed.start(['h1', 'h2', 'h3']);
    const { id } = await bed.running('web1', 'h1');
    const agent = bed.agent('h1');
    agent.cutFromCoordinator();
    const isolated = await bed.hostIs('h1', 'isolated');
    expect(isolated.reason).toContain('renewed');
    const reader = bed.leaseClient('reader');
    const before = await bed.until('the lease can be read', () => reader.read(id).catch(() => null));
    await bed.until('the lease was renewed several times', async () => {
      const lease = await reader.read(id);
      return (lease?.counter ?? 0) >= before.counter + 4;
    });
    expect(await reader.read(id)).toMatchObject({ owner: 'h1', epoch: 1 });
    expect(await bed.vm('web1')).toMatchObject({ host: 'h1', epoch: 1 });
    expect((await bed.operations()).some(({ kind }) => kind === 'vm-restart')).toBe(false);
  });

  it('that hangs past its leases is taken over once, and fenced when it wakes', async () => {
    bed = await CoordinatorBed.start(['h1', 'h2', 'h3']);
    await bed.running('web1', 'h1');
    const frozen = bed.agent('h1');
    frozen.freeze();
    const after = await bed.vmIs(
      'web1',
      ({ host, state }) => host !== 'h1' && state === 'running',
      'is taken over',
    );
    expect(after.epoch).toBe(2);
    expect(frozen.vmNamed('web1')?.epoch).toBe(1);
    frozen.wake();
    await bed.hostIs('h1', 'connected');
    await bed.until('its copy is stopped', () => frozen.vmNamed('web1') === undefined);
    expect(await bed.vm('web1')).toMatchObject({ host: after.host, epoch: 2, state: 'running' });
    expect((await bed.operations()).filter(({ kind }) => kind === 'vm-restart')).toHaveLength(1);
    const others = bed.agents().filter(({ options }) => options.name !== after.host);
    expect(others.every((agent) => agent.vmNamed('web1') === undefined)).toBe(true);
  });

  it('is refused under a name that another process holds, and takes it once that one is gone', async () => {
    bed = await CoordinatorBed.start(['h1', 'h2']);
    await bed.running('web1', 'h1');
    const first = bed.agent('h1');
    const second = bed.addAgent('h1', { index: 5 });
    const refusal = await bed.until('the second is refused', () => second.lastRefusal);
    expect(refusal).toMatchObject({ code: 'name.taken' });
    expect(await bed.host('h1')).toMatchObject({ state: 'connected', bootId: first.bootId });
    expect(second.isGranted).toBe(false);
    first.kill();
    await bed.until('the second is accepted', () => second.registrations > 0);
    await bed.until('it is granted', () => second.isGranted);
    expect(await bed.host('h1')).toMatchObject({ bootId: second.bootId });
    // The first one's VM died with it, and starts anew.
    await bed.vmIs('web1', ({ state, epoch }) => state === 'running' && (epoch ?? 0) > 1, 'runs again');
  });
});

describe('the coordinator and the storage service themselves', () => {
  it('leaves all guests alone when the coordinator was away, and adopts what runs', async () => {
    bed = await CoordinatorBed.start(['h1', 'h2']);
    await bed.running('web1', 'h1');
    await bed.running('web2', 'h2');
    const before = bed.agents().map(({ registrations }) => registrations);
    await bed.killCoordinator();
    await bed.startCoordinator();
    await bed.until('both registered again', () =>
      bed.agents().every(({ registrations }, index) => registrations > (before[index] ?? 0)),
    );
    for (const [name, host] of [
      ['web1', 'h1'],
      ['web2', 'h2'],
    ] as const) {
      await bed.vmIs(name, ({ state }) => state === 'running', 'runs');
      expect(await bed.vm(name)).toMatchObject({ host, epoch: 1 });
    }
    expect((await bed.operations()).some(({ kind }) => kind === 'vm-restart')).toBe(false);
    await bed.until('the newer view is taken', () => bed.agent('h1').view?.peers.length === 2);
  });

  it('takes over what died while it was away, but not before it has waited for all leases itself', async () => {
    bed = await CoordinatorBed.start(['h1', 'h2']);
    await bed.running('web1', 'h1');
    await bed.killCoordinator();
    bed.agent('h1').kill();
    await bed.startCoordinator();
    const startedAtMs = performance.now();
    await bed.vmIs('web1', ({ host, state }) => host === 'h2' && state === 'running', 'is taken over');
    expect(performance.now() - startedAtMs).toBeGreaterThan(1500);
    expect((await bed.vm('web1')).epoch).toBe(2);
  });

  it('declares no host with VMs failed while the storage service cannot be asked', async () => {
    bed = await CoordinatorBed.start(['h1', 'h2']);
    await bed.running('web1', 'h1');
    await bed.killStorage();
    bed.agent('h1').kill();
    const host = await bed.until('it says why it waits', async () => {
      const host = await bed.host('h1');
      return host.reason?.includes('storage') === true ? host : null;
    });
    expect(host.state).toBe('suspect');
    await bed.startStorage();
    await bed.vmIs('web1', ({ host, state }) => host === 'h2' && state === 'running', 'is taken over');
  });
});
