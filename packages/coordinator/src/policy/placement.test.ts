import type { NetworkKind } from '@skein/shared';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bootArguments } from './boot-arguments.ts';
import { Reservations } from './inventory.ts';
import type { Pair } from './pairs.ts';
import { explain, place } from './placement.ts';
import { host, inventory, runningVm, sighting, spec, vm } from './testing/inventories.ts';

const wish = (name: string, shape = {}) => ({ spec: spec(name, shape), leaves: null, refusals: [] });

describe('placement', () => {
  it('[PL-5] chooses the least loaded host, and the first by name among equals', () => {
    const vms = [runningVm('a', 'h1'), runningVm('b', 'h2', { memoryMib: 64 })];
    expect(place(inventory([host('h2'), host('h1')], vms), wish('web1'))).toMatchObject({
      kind: 'placed',
      host: 'h2',
    });
    expect(place(inventory([host('h3'), host('h2'), host('h1')], []), wish('web1'))).toMatchObject({
      host: 'h1',
    });
  });

  it('[PL-5] weighs reserved CPU as well as memory', () => {
    const vms = [runningVm('a', 'h1', { memoryMib: 128, reservationMhz: 900 })];
    expect(
      place(inventory([host('h1'), host('h2', { usedMemoryMib: 512 })], vms), wish('web1')),
    ).toMatchObject({
      host: 'h2',
    });
  });

  it('[PL-1] passes over hosts that are not connected or cannot be commanded', () => {
    const hosts = [
      host('h1', { state: 'failed' }),
      host('h2', { state: 'suspect' }),
      host('h3', { state: 'isolated' }),
      host('h4', { isReachable: false }),
    ];
    const placement = place(inventory(hosts, []), wish('web1'));
    expect(placement).toEqual({
      kind: 'rejected',
      reasons: [
        { host: 'h1', reason: 'has failed' },
        { host: 'h2', reason: 'is suspected to have failed' },
        { host: 'h3', reason: 'is isolated' },
        { host: 'h4', reason: 'cannot be reached at present' },
      ],
    });
  });

  it('[PL-2] [PL-10] explains host by host why nothing has room', () => {
    const hosts = [
      host('h1', { capacity: { cpuMhz: 1000, memoryMib: 192 } }),
      host('h2', { usedMemoryMib: 960 }),
      host('h3', { state: 'failed' }),
    ];
    const placement = place(inventory(hosts, [runningVm('a', 'h1')]), wish('web2'));
    expect(placement.kind).toBe('rejected');
    if (placement.kind === 'rejected') {
      expect(explain('web2', placement.reasons)).toBe(
        '0/3 hosts can run web2: h1 has 64 MiB free of 128 needed; h2 has 64 MiB free of 128 needed; h3 has failed',
      );
    }
  });

  it('[PL-10] says so when there is no host at all', () => {
    expect(explain('web1', [])).toBe('0/0 hosts can run web1: the cluster has no hosts');
  });

  it('[PL-3] refuses a CPU reservation that does not fit', () => {
    const vms = [runningVm('a', 'h1', { reservationMhz: 700 })];
    expect(place(inventory([host('h1')], vms), wish('web1', { reservationMhz: 400 }))).toEqual({
      kind: 'rejected',
      reasons: [{ host: 'h1', reason: 'has 300 MHz not reserved of 400 to reserve' }],
    });
  });

  it('[PL-4] counts a VM where it is decided, present, and on its way, and not against itself', () => {
    const moving = vm('a', {
      desired: { host: 'h1', epoch: 1 },
      sightings: [sighting('h1', 'a')],
      operation: {
        id: 'op-0000000000000001',
        kind: 'vm-migrate',
        host: 'h1',
        targetHost: 'h2',
        isWaiting: false,
      },
    });
    const arriving = vm('d', { sightings: [sighting('h3', 'd', { state: 'incoming' })] });
    const decided = vm('b', { desired: { host: 'h1' } });
    const off = vm('c', { shape: { power: 'off' }, desired: { host: 'h1' } });
    const reservations = new Reservations(inventory([], [moving, arriving, decided, off]));
    expect(reservations.on('h1').memoryMib).toBe(256);
    expect(reservations.on('h2').memoryMib).toBe(128);
    expect(reservations.on('h3').memoryMib).toBe(128);
    expect(reservations.on('h1', moving.spec.id).memoryMib).toBe(128);
  });

  it('[PL-4] lets a VM return to the full host that it is on', () => {
    const full = host('h1', { capacity: { cpuMhz: 1000, memoryMib: 128 }, usedMemoryMib: 128 });
    const lost = runningVm('web1', 'h1');
    expect(place(inventory([full], [lost]), wish('web1'))).toMatchObject({ kind: 'placed', host: 'h1' });
  });

  it('[PL-6] needs the network of each segment, its tunnel, and a segment that exists', () => {
    const hosts = [
      host('h1', { addresses: { management: '127.0.0.1' } }),
      host('h2', { hasTunnel: false }),
      host('h3'),
    ];
    expect(place(inventory(hosts, []), wish('web1', { segments: ['lan'] }))).toMatchObject({ host: 'h3' });
    const nowhere = place(inventory([host('h3')], []), wish('web1', { segments: ['dmz'] }));
    expect(nowhere).toMatchObject({ reasons: [{ host: 'h3', reason: 'knows no segment dmz' }] });
  });

  it('[PL-7] takes the named host or none', () => {
    const hosts = [host('h1'), host('h2', { usedMemoryMib: 1024 })];
    expect(place(inventory(hosts, []), { ...wish('web1'), pinned: 'h1' })).toMatchObject({ host: 'h1' });
    expect(place(inventory(hosts, []), { ...wish('web1'), pinned: 'h2' })).toEqual({
      kind: 'rejected',
      reasons: [{ host: 'h2', reason: 'has 0 MiB free of 128 needed' }],
    });
  });

  it('[PL-11] moves no VM to a host that has lost its present one on the migration network', () => {
    const lost = (network: NetworkKind, isLost = true): Pair => ({
      hosts: ['h1', 'h2'],
      network,
      isLost,
      sinceMs: 0,
      reason: 'neither hears the other',
      quietSinceMs: null,
      losses: 1,
    });
    const hosts = [host('h1'), host('h2'), host('h3', { usedMemoryMib: 512 })];
    const going = (pairs: readonly Pair[], more = {}) =>
      place(inventory(hosts, [runningVm('web1', 'h1')], { pairs }), {
        spec: spec('web1'),
        leaves: 'h1',
        refusals: [],
        ...more,
      });
    expect(going([])).toMatchObject({ host: 'h2' });
    expect(going([lost('migration')])).toMatchObject({ host: 'h3' });
    expect(going([lost('guest-a'), lost('migration', false)])).toMatchObject({ host: 'h2' });
    expect(going([lost('migration')], { pinned: 'h2' })).toEqual({
      kind: 'rejected',
      reasons: [
        {
          host: 'h2',
          reason: 'and h1 have lost each other on the migration network: neither hears the other',
        },
      ],
    });
  });

  it('[PL-11] starts VMs wherever it likes, whoever has lost whom', () => {
    const lostAll = (['migration', 'guest-a', 'ft-logging'] as const).map((network) => ({
      hosts: ['h1', 'h2'] as const,
      network,
      isLost: true,
      sinceMs: 0,
      reason: '',
      quietSinceMs: null,
      losses: 1,
    }));
    const hosts = [host('h1', { usedMemoryMib: 512 }), host('h2')];
    const vms = [vm('web1', { desired: { host: 'h1' } })];
    const placement = place(inventory(hosts, vms, { pairs: lostAll }), wish('web1'));
    expect(placement).toEqual(place(inventory(hosts, vms), wish('web1')));
    expect(placement).toMatchObject({ host: 'h2' });
  });

  it('[PL-8] moves a VM away from its host, only over the migration network', () => {
    const hosts = [host('h1'), host('h2', { addresses: { management: '127.0.0.1' } }), host('h3')];
    const vms = [runningVm('web1', 'h1'), runningVm('a', 'h3', { memoryMib: 512 })];
    expect(place(inventory(hosts, vms), { ...wish('web1'), leaves: 'h1' })).toMatchObject({ host: 'h3' });
  });

  it('[PL-12] places nothing on a host in maintenance, and moves nothing there', () => {
    const hosts = [host('h1'), host('h2', { isInMaintenance: true }), host('h3', { usedMemoryMib: 512 })];
    const vms = [runningVm('web1', 'h1')];
    expect(place(inventory(hosts.slice(1), []), wish('web2'))).toMatchObject({ host: 'h3' });
    expect(place(inventory(hosts, vms), { ...wish('web1'), leaves: 'h1' })).toMatchObject({ host: 'h3' });
    expect(place(inventory(hosts, vms), { ...wish('web1'), leaves: 'h1', pinned: 'h2' })).toEqual({
      kind: 'rejected',
      reasons: [{ host: 'h2', reason: 'is in maintenance' }],
    });
  });

  it('[PL-13] moves a VM only to a host whose machine has the same version, and starts it anywhere', () => {
    const hosts = [host('h1'), host('h2', { machineVersion: 2 })];
    const vms = [runningVm('web1', 'h1')];
    expect(place(inventory(hosts, vms), { ...wish('web1'), leaves: 'h1' })).toMatchObject({
      reasons: [
        { host: 'h1', reason: 'is where it runs already' },
        { host: 'h2', reason: 'has machine version 2, h1 has 1' },
      ],
    });
    expect(place(inventory(hosts, []), { ...wish('web2'), pinned: 'h2' })).toMatchObject({ host: 'h2' });
  });

  it('[PL-9] passes over a host that refused a moment ago', () => {
    const refusals = [{ host: 'h1', reason: 'it has no such image' }];
    expect(place(inventory([host('h1'), host('h2')], []), { ...wish('web1'), refusals })).toMatchObject({
      host: 'h2',
    });
    expect(place(inventory([host('h1')], []), { ...wish('web1'), refusals })).toMatchObject({
      reasons: [{ reason: 'refused it: it has no such image' }],
    });
  });
});

const arbitraryHost = fc.record({
  state: fc.constantFrom('connected' as const, 'connected' as const, 'suspect' as const, 'failed' as const),
  memoryMib: fc.integer({ min: 64, max: 1024 }),
  cpuMhz: fc.integer({ min: 100, max: 1000 }),
});
const arbitraryVm = fc.record({
  memoryMib: fc.integer({ min: 64, max: 512 }),
  reservationMhz: fc.integer({ min: 0, max: 500 }),
});

describe('placement, whatever the cluster', () => {
  it('[PL-1] [PL-2] [PL-3] [PL-10] fills hosts to their capacity and no further, or says why not', () => {
    fc.assert(
      fc.property(
        fc.array(arbitraryHost, { maxLength: 5 }),
        fc.array(arbitraryVm, { maxLength: 20 }),
        (hosts, shapes) => {
          const cluster = hosts.map(({ state, ...capacity }, index) =>
            host(`h${index}`, { state, capacity: { ...capacity } }),
          );
          const placed = [];
          for (const [index, shape] of shapes.entries()) {
            const placement = place(inventory(cluster, placed), wish(`v${index}`, shape));
            if (placement.kind === 'placed') placed.push(runningVm(`v${index}`, placement.host, shape));
            else expect(placement.reasons).toHaveLength(cluster.length);
          }
          const reservations = new Reservations(inventory(cluster, placed));
          for (const { name, state, capacity } of cluster) {
            const { memoryMib, cpuMhz } = reservations.on(name);
            expect(memoryMib).toBeLessThanOrEqual(state === 'connected' ? capacity.memoryMib : 0);
            expect(cpuMhz).toBeLessThanOrEqual(state === 'connected' ? capacity.cpuMhz : 0);
          }
        },
      ),
    );
  });

  it('does not depend on the order in which hosts and VMs are listed', () => {
    fc.assert(
      fc.property(fc.array(arbitraryHost, { minLength: 1, maxLength: 5 }), arbitraryVm, (hosts, shape) => {
        const cluster = hosts.map(({ state, ...capacity }, index) => host(`h${index}`, { state, capacity }));
        const forward = place(inventory(cluster, []), wish('web1', shape));
        expect(place(inventory(cluster.toReversed(), []), wish('web1', shape))).toEqual(forward);
      }),
    );
  });
});

describe('boot arguments', () => {
  it('name the guest, its first address, further ones by interface, and what was added', () => {
    const nics = [{ address: '10.0.0.1/24' }, {}, { address: '10.1.0.1/24' }];
    expect(bootArguments({ name: 'web1', nics, extra: ' quiet ' })).toBe(
      'skein.hostname=web1 skein.ip=10.0.0.1/24 skein.ip.eth2=10.1.0.1/24 quiet',
    );
    expect(bootArguments({ name: 'web1', nics: [], extra: '' })).toBe('skein.hostname=web1');
  });
});
