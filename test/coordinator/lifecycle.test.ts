import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CoordinatorBed } from './coordinator-bed.ts';

let bed: CoordinatorBed;
beforeAll(async () => {
  bed = await CoordinatorBed.start(['h1', 'h2']);
});
afterAll(() => bed.close());

describe('the life of a VM', () => {
  it('grants registered hosts their lease and tells them of each other', async () => {
    for (const host of ['h1', 'h2']) expect(bed.agent(host).isGranted).toBe(true);
    const view = await bed.until('both peers', () => {
      const { view } = bed.agent('h1');
      return view?.peers.length === 2 ? view : null;
    });
    expect(view.segments).toEqual([{ name: 'lan', vni: 77, network: 'guest-a' }]);
    expect(view.peers.map(({ host }) => host)).toEqual(['h1', 'h2']);
  });

  it('creates, starts, stops, starts again elsewhere and deletes it, each time with a higher epoch', async () => {
    const { vm, operation } = await bed.create('web1', {
      nics: [{ segment: 'lan', address: '10.0.0.1/24' }],
      bootArguments: 'quiet',
    });
    expect(vm.spec.machine.bootArguments).toBe('skein.hostname=web1 skein.ip=10.0.0.1/24 quiet');
    expect(vm.spec.machine.nics[0]?.mac).toMatch(/^52:54:00(:[0-9a-f]{2}){3}$/);
    const started = await bed.succeeded(operation);
    expect(started.timeline.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['placed', 'started', 'first step']),
    );
    const running = await bed.vmIs('web1', ({ state }) => state === 'running', 'runs');
    expect(running).toMatchObject({ host: 'h1', epoch: 1 });
    await bed.until('its owner is told to the others', () =>
      bed.agent('h2').view?.owners.some(({ host, epoch }) => host === 'h1' && epoch === 1),
    );

    expect((await bed.change('POST', '/v1/vms/web1/start', {})).operation).toBeNull();
    const stop = await bed.change('POST', '/v1/vms/web1/stop');
    await bed.succeeded(stop.operation);
    expect(await bed.vm('web1')).toMatchObject({ state: 'stopped', host: null });
    expect(bed.agent('h1').vmNamed('web1')).toBeUndefined();
    expect((await bed.change('POST', '/v1/vms/web1/stop')).operation).toBeNull();

    const again = await bed.change('POST', '/v1/vms/web1/start', { host: 'h2' });
    await bed.succeeded(again.operation);
    expect(await bed.vm('web1')).toMatchObject({ state: 'running', host: 'h2', epoch: 2 });
    expect((await bed.ask('DELETE', '/v1/vms/web1')).body).toMatchObject({ code: 'vm.wrong-state' });
    await bed.succeeded((await bed.change('POST', '/v1/vms/web1/stop')).operation);
    const remove = await bed.change('DELETE', '/v1/vms/web1');
    await bed.succeeded(remove.operation);
    expect(await bed.ask('GET', '/v1/vms/web1')).toMatchObject({
      status: 404,
      body: { code: 'vm.not-found' },
    });
  });

  it('refuses what fits nowhere with the reason of each host, and leaves nothing behind', async () => {
    const answer = await bed.ask('POST', '/v1/vms', {
      name: 'big',
      image: '0'.repeat(64),
      memoryMib: 2048,
    });
    expect(answer).toMatchObject({ status: 409, body: { code: 'placement.no-host' } });
    expect(answer.body.message).toBe(
      '0/2 hosts can run big: h1 has 1024 MiB free of 2048 needed; h2 has 1024 MiB free of 2048 needed',
    );
    expect((await bed.ask('GET', '/v1/vms/big')).status).toBe(404);
  });

  it('spreads VMs over the hosts and never promises memory twice, however many are asked for at once', async () => {
    const wanted = Array.from({ length: 6 }, (_, index) => `many${index}`);
    const answers = await Promise.all(
      wanted.map((name) => bed.ask('POST', '/v1/vms', { name, image: '0'.repeat(64), memoryMib: 500 })),
    );
    expect(answers.filter(({ status }) => status < 300)).toHaveLength(4);
    expect(answers.filter(({ body }) => body.code === 'placement.no-host')).toHaveLength(2);
    for (const [index, { status }] of answers.entries()) {
      if (status < 300) await bed.vmIs(wanted[index] ?? '', ({ state }) => state === 'running', 'runs');
    }
    for (const host of ['h1', 'h2']) {
      expect(await bed.host(host)).toMatchObject({ vms: 2, usedMemoryMib: 1000 });
    }
    for (const [index, { status }] of answers.entries()) {
      const name = wanted[index] ?? '';
      if (status < 300) await bed.succeeded((await bed.change('POST', `/v1/vms/${name}/stop`)).operation);
    }
  });

  it('refuses a second change while one is at work, and names the first', async () => {
    const agent = bed.agent('h1');
    const hold = Promise.withResolvers<void>();
    agent.before = (name) => (name === 'vm.start' ? hold.promise : undefined);
    const { operation } = await bed.create('busy', { host: 'h1' });
    await bed.until('the start is held', () => agent.received.at(-1)?.operation === operation);
    for (const [method, path] of [
      ['POST', '/v1/vms/busy/stop'],
      ['DELETE', '/v1/vms/busy'],
    ] as const) {
      expect(await bed.ask(method, path)).toMatchObject({
        status: 409,
        body: { code: 'vm.busy', details: { operation } },
      });
    }
    hold.resolve();
    agent.before = () => {};
    await bed.succeeded(operation);
  });

  it('leaves a guest off that switched itself off, and starts one again that died', async () => {
    await bed.running('off', 'h1');
    await bed.running('died', 'h1');
    const agent = bed.agent('h1');
    const [off, died] = [agent.vmNamed('off'), agent.vmNamed('died')];
    if (off === undefined || died === undefined) throw new Error('they run');
    agent.end(off, 'stopped', 'the guest: power off');
    agent.end(died, 'stopped', 'its thread ended');
    await bed.vmIs('died', ({ state, epoch }) => state === 'running' && epoch === 2, 'runs again');
    expect(await bed.vm('off')).toMatchObject({ state: 'stopped' });
    expect((await bed.operations()).filter(({ vmName }) => vmName === 'off')).toHaveLength(1);
    await bed.succeeded((await bed.change('POST', '/v1/vms/off/start', {})).operation);
  });

  it('stops what it finds running though it is wanted off', async () => {
    await bed.running('ghost', 'h1');
    const agent = bed.agent('h1');
    const vm = agent.vmNamed('ghost');
    await bed.succeeded((await bed.change('POST', '/v1/vms/ghost/stop')).operation);
    if (vm === undefined) throw new Error('it ran');
    const { epoch } = await agent.leases.acquire(vm.vm, vm.epoch);
    Object.assign(vm, { state: 'running', epoch, reason: null });
    agent.changed();
    await bed.until('it is stopped again', () => vm.state === 'stopped');
    await bed.vmIs('ghost', ({ state }) => state === 'stopped', 'is off');
  });
});
