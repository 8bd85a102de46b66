import { randomBytes } from 'node:crypto';
import { grantDeadlineNs, storageProtocol, timingDefaults } from '@skein/shared';
import { dial } from '@skein/transport';
import { describe, expect, it } from 'vitest';
import { holdDatasync } from './datasync.fixture.ts';
import {
  client,
  codeOf,
  freshBoot,
  freshVm,
  onEnd,
  serving,
  stateDirectory,
  token,
} from './service.fixture.ts';

const msNs = 1_000_000n;

describe('the lease service', () => {
  it('[LEASE-1] lets exactly one of those win who race for a lease, in each of many rounds', async () => {
    const { service } = await serving(await stateDirectory());
    const racers = await Promise.all(['h1', 'h2', 'h3'].map((host) => client(service.port, host)));
    for (let round = 0; round < 60; round++) {
      const vm = freshVm();
      const outcomes = await Promise.all(racers.map((racer) => codeOf(racer.acquire(vm, 0))));
      expect(outcomes.toSorted()).toEqual(['granted', 'lease.stale-epoch', 'lease.stale-epoch']);
      const winner = ['h1', 'h2', 'h3'][outcomes.indexOf('granted')];
      expect(await racers[0]?.read(vm)).toMatchObject({ owner: winner, epoch: 1 });
    }
  });

  it('[LEASE-1] lets exactly one win who race for one that is free again', async () => {
    const { service } = await serving(await stateDirectory());
    const racers = await Promise.all(['h1', 'h2'].map((host) => client(service.port, host)));
    const vm = freshVm();
    for (let epoch = 0; epoch < 60; epoch++) {
      const outcomes = await Promise.allSettled(racers.map((racer) => racer.acquire(vm, epoch)));
      const winners = racers.filter((_, index) => outcomes[index]?.status === 'fulfilled');
      expect(winners.length).toBe(1);
      await winners[0]?.release(vm, epoch + 1);
    }
  });

  it('[LEASE-5] passes a lease: from then on it is the target alone that renews', async () => {
    const { service } = await serving(await stateDirectory());
    const [source, target] = await Promise.all([client(service.port, 'h1'), client(service.port, 'h2')]);
    const vm = freshVm();
    const { epoch } = await source.acquire(vm, 0);
    expect(await source.pass(vm, epoch, 'h2')).toBe(2);
    expect(await codeOf(source.renew(vm, 1))).toBe('lease.stale-epoch');
    expect(await codeOf(source.renew(vm, 2))).toBe('lease.not-owner');
    expect((await target.renew(vm, 2)).epoch).toBe(2);
    expect(await source.read(vm)).toMatchObject({ owner: 'h2', epoch: 2, counter: 1 });
  });

  it('[LEASE-7] takes the name and the boot from the link, and refuses those who have no business here', async () => {
    const { service, rejected } = await serving(await stateDirectory());
    const coordinator = await client(service.port, 'coordinator', { role: 'coordinator' });
    expect(await codeOf(coordinator.acquire(freshVm(), 0))).toBe('lease.not-owner');
    const agent = await client(service.port, 'h1');
    expect(await codeOf(agent.claimCoordinator())).toBe('lease.not-owner');
    const vm = freshVm();
    await agent.acquire(vm, 0);
    const impostor = await client(service.port, 'h1');
    expect(await codeOf(impostor.renew(vm, 1))).toBe('lease.not-owner');
    expect(await codeOf(impostor.acquire(vm, 1))).toBe('lease.held');
    await expect(client(service.port, 'h1', { role: 'guest' })).rejects.toThrow('link.unauthenticated');
    expect(rejected.map(({ code }) => code)).toEqual(['link.unauthenticated']);
  });

  it('[LEASE-7] knows a transfer worker of an agent as the agent itself', async () => {
    const { service } = await serving(await stateDirectory());
    const bootId = freshBoot();
    const agent = await client(service.port, 'h1', { bootId });
    const transfer = await client(service.port, 'h1', { bootId, role: 'transfer' });
    const vm = freshVm();
    await agent.acquire(vm, 0);
    expect((await transfer.acquire(vm, 1)).epoch).toBe(2);
    expect(await transfer.pass(vm, 2, 'h2')).toBe(3);
  });

  it('[LEASE-8] answers nothing at all when it does not know what the disk holds', async () => {
    const fatal: string[] = [];
    const { service } = await serving(await stateDirectory(), { onFatal: ({ code }) => fatal.push(code) });
    const h1 = await client(service.port, 'h1');
    const vm = freshVm();
    await h1.acquire(vm, 0);
    const disk = await holdDatasync();
    const passed = codeOf(h1.pass(vm, 1, 'h2'));
    await disk.reached;
    disk.fail(new Error('EIO'));
    expect(await passed).toBe('link.closed');
    expect(fatal).toEqual(['lease.store-failed']);
  });

  it('[LEASE-12] does not answer a read from before a pass that is on its way to the disk', async () => {
    const { service } = await serving(await stateDirectory());
    const [h1, h2] = await Promise.all([client(service.port, 'h1'), client(service.port, 'h2')]);
    const vm = freshVm();
    await h1.acquire(vm, 0);
    const disk = await holdDatasync();
    const passed = h1.pass(vm, 1, 'h2');
    await disk.reached;
    const read = h2.read(vm);
    const other = h2.read(freshVm()); // Answered behind the first one, were that not waiting.
    expect(await other).toBeNull();
    disk.goOn();
    expect(await read).toMatchObject({ owner: 'h2', epoch: 2 });
    await passed;
  });

  it('[LEASE-9] holds every lease for TTL(1 + 2 rho) + margin from its start, to the millisecond', async () => {
    const directory = await stateDirectory();
    const first = await serving(directory, { nowNs: () => 0n });
    const vm = freshVm();
    const free = freshVm();
    const h1 = await client(first.service.port, 'h1');
    await h1.acquire(vm, 0);
    await h1.acquire(free, 0);
    await h1.release(free, 1);
    await first.close();

    let nowMs = 5_000_000; // Another clock, whose beginning means nothing.
    const { service } = await serving(directory, { nowNs: () => BigInt(nowMs) * msNs });
    const h2 = await client(service.port, 'h2');
    expect(await h2.read(vm)).toMatchObject({ owner: 'h1', epoch: 1, remainingMs: 1730 });
    nowMs += 1729;
    expect(await codeOf(h2.acquire(vm, 1))).toBe('lease.held');
    nowMs += 1;
    expect((await h2.acquire(vm, 1)).epoch).toBe(2);
    expect((await h2.acquire(free, 1)).epoch).toBe(2);
  });

  it('[LEASE-11] gives deadlines on the holder’s clock, counted from before the request was sent', async () => {
    const { service } = await serving(await stateDirectory());
    const ticks: bigint[] = [];
    const nowNs = (): bigint => {
      ticks.push(process.hrtime.bigint());
      return ticks.at(-1) ?? 0n;
    };
    const h1 = await client(service.port, 'h1', { nowNs });
    const before = process.hrtime.bigint();
    const { deadlineNs } = await h1.acquire(freshVm(), 0);
    expect(ticks.length).toBe(1);
    expect(ticks[0]).toBeGreaterThanOrEqual(before);
    expect(deadlineNs).toBe(grantDeadlineNs(ticks[0] ?? 0n, 1500, timingDefaults));
    expect(deadlineNs - (ticks[0] ?? 0n)).toBe(1285n * msNs); // 1,500 ms less 1 % less 200 ms
  });

  it('[LEASE-12] answers a read after everything that was asked about the VM before', async () => {
    const { service } = await serving(await stateDirectory());
    const h1 = await client(service.port, 'h1');
    for (let round = 0; round < 20; round++) {
      const vm = freshVm();
      const acquired = h1.acquire(vm, 0);
      const afterAcquire = h1.read(vm);
      const passed = h1.pass(vm, 1, 'h2');
      const afterPass = h1.read(vm);
      expect(await afterAcquire).toMatchObject({ owner: 'h1', epoch: 1 });
      expect(await afterPass).toMatchObject({ owner: 'h2', epoch: 2 });
      await Promise.all([acquired, passed]);
    }
  });

  it('[LEASE-13] lets the coordinator that claimed last fence, also after a restart', async () => {
    const directory = await stateDirectory();
    const first = await serving(directory);
    const vm = freshVm();
    await (await client(first.service.port, 'h1')).acquire(vm, 0);
    const old = await client(first.service.port, 'coordinator', { role: 'coordinator' });
    expect(await old.claimCoordinator()).toBe(1);
    const next = await client(first.service.port, 'coordinator', { role: 'coordinator' });
    expect(await next.claimCoordinator()).toBe(2);
    expect(await codeOf(old.fence(vm, 1, 1))).toBe('epoch.stale');
    await first.close();

    const { service } = await serving(directory);
    const again = await client(service.port, 'coordinator', { role: 'coordinator' });
    expect(await codeOf(again.fence(vm, 1, 1))).toBe('epoch.stale');
    expect(await again.fence(vm, 1, 2)).toBe(2);
    const h2 = await client(service.port, 'h2');
    expect((await h2.acquire(vm, 2)).epoch).toBe(3);
  });

  it('lists all leases, however many, in order', async () => {
    const { service } = await serving(await stateDirectory());
    const h1 = await client(service.port, 'h1');
    const vms = Array.from({ length: 1100 }, freshVm);
    for (let start = 0; start < vms.length; start += 200) {
      await Promise.all(vms.slice(start, start + 200).map((vm) => h1.acquire(vm, 0)));
    }
    expect((await h1.list()).map(({ vm }) => vm)).toEqual(vms.toSorted());
  });

  it('closes the link of a peer that breaks the protocol, with a stable code, and renews for the others', async () => {
    const ended: string[] = [];
    const { service } = await serving(await stateDirectory(), {
      onLinkEnded: ({ code }) => ended.push(code),
    });
    const h1 = await client(service.port, 'h1');
    const vm = freshVm();
    await h1.acquire(vm, 0);
    const link = () =>
      dial({
        host: '127.0.0.1',
        port: service.port,
        protocol: storageProtocol,
        own: { role: 'agent', name: 'evil', bootId: freshBoot() },
        authentication: token,
        handlers: { requests: {}, notices: {} },
      });
    const bodies: { vm: string; expectEpoch: number }[] = [
      { vm: 'vm-1', expectEpoch: 0 },
      { vm, expectEpoch: -1 },
      { vm, expectEpoch: 2 ** 53 },
      { vm: randomBytes(50_000).toString('hex'), expectEpoch: 0 },
    ];
    for (const body of bodies) {
      const evil = await link();
      onEnd(() => evil.close());
      expect(await codeOf(evil.request('lease.acquire', body, { deadlineMs: 10_000 }))).toBe('link.closed');
      await h1.renew(vm, 1);
    }
    expect(ended).toEqual(['link.bad-message', 'link.bad-message', 'link.bad-message', 'link.too-large']);
  });
});
