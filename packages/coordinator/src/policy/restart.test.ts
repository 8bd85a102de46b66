import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type HostInventory, type Inventory, Reservations, type VmInventory } from './inventory.ts';
import { missingMs, planRestarts as plan, restartsPerHourMax } from './restart.ts';
import { host, inventory, nowMs, runningVm, sighting, vm } from './testing/inventories.ts';

const gatherMs = 10_000;
const planRestarts = (of: Inventory) => plan(of, { gatherMs });
const failed = host('h1', { state: 'failed', isReachable: false, statusAtMs: null });
const lost = (name: string, more: Parameters<typeof vm>[1] = {}): VmInventory =>
  vm(name, { ...more, desired: { host: 'h1', epoch: 1, ...more.desired } });

describe('restarts', () => {
  it('[HA-8] starts a VM of a failed host elsewhere, with both reasons', () => {
    expect(planRestarts(inventory([failed, host('h2')], [lost('web1')]))).toEqual([
      {
        kind: 'restart',
        vm: lost('web1').spec.id,
        from: 'h1',
        host: 'h2',
        cause: 'host',
        reason: 'host h1 failed; h2 is the only host that can run it (6 % reserved with it)',
      },
    ]);
  });

  it('[HA-8] leaves alone what is wanted off, has halted, is worked on, or lives elsewhere', () => {
    const vms = [
      lost('off', { shape: { power: 'off' } }),
      lost('halted', { desired: { halt: { kind: 'stopped', reason: 'the guest switched itself off' } } }),
      lost('busy', {
        operation: {
          id: 'op-0000000000000001',
          kind: 'vm-restart',
          host: 'h1',
          targetHost: 'h2',
          isWaiting: false,
        },
      }),
      lost('moved', { sightings: [sighting('h2', 'moved', { epoch: 2 })] }),
    ];
    expect(planRestarts(inventory([failed, host('h2')], vms))).toEqual([]);
  });

  it('[HA-8] does not believe what a failed host said last', () => {
    const vms = [lost('web1', { sightings: [sighting('h1', 'web1')] })];
    expect(planRestarts(inventory([failed, host('h2')], vms))).toMatchObject([
      { kind: 'restart', host: 'h2' },
    ]);
  });

  it.each(['suspect', 'isolated'] as const)('[HA-9] restarts nothing of a host that is %s', (state) => {
    const silent = host('h1', { state, isReachable: false });
    expect(planRestarts(inventory([silent, host('h2')], [lost('web1')]))).toEqual([]);
  });

  it('[HA-10] goes by priority, then size, then name, and gives the room away once', () => {
    const small = host('h2', { capacity: { cpuMhz: 1000, memoryMib: 640 } });
    const vms = [
      lost('late', { shape: { restartPriority: 5, memoryMib: 64 } }),
      lost('zeta', { shape: { memoryMib: 128 } }),
      lost('beta', { shape: { memoryMib: 128 } }),
      lost('large', { shape: { memoryMib: 256 } }),
      lost('first', { shape: { restartPriority: 1, memoryMib: 128 } }),
    ];
    const plan = planRestarts(inventory([failed, small], vms));
    const nameOf = (id: string): string => vms.find(({ spec }) => spec.id === id)?.spec.name ?? '';
    expect(plan.map((decision) => [nameOf(decision.vm), decision.kind])).toEqual([
      ['first', 'restart'],
      ['large', 'restart'],
      ['beta', 'restart'],
      ['zeta', 'restart'],
      ['late', 'wait'],
    ]);
  });

  it('[HA-11] lets a VM that fits nowhere wait with the reason of each host', () => {
    const full = host('h2', { usedMemoryMib: 1000 });
    expect(planRestarts(inventory([failed, full], [lost('web1')]))).toEqual([
      {
        kind: 'wait',
        vm: lost('web1').spec.id,
        reason: 'host h1 failed; 0/2 hosts can run web1: h1 has failed; h2 has 24 MiB free of 128 needed',
      },
    ]);
  });

  it('[HA-12] starts a VM that ended alone where it was, though another host is emptier', () => {
    const ended = vm('web1', {
      desired: { host: 'h1', epoch: 1 },
      sightings: [sighting('h1', 'web1', { state: 'failed', reason: 'its thread ended' })],
    });
    const vms = [ended, runningVm('a', 'h1')];
    expect(planRestarts(inventory([host('h1'), host('h2')], vms))).toMatchObject([
      { kind: 'restart', host: 'h1', cause: 'vm', reason: expect.stringContaining('its thread ended') },
    ]);
  });

  it('[HA-12] gives up a VM that ends again and again, but not for a lost host', () => {
    const often = { restarts: restartsPerHourMax, desired: { host: 'h2', epoch: 1 } };
    const ended = vm('web1', { ...often, sightings: [sighting('h2', 'web1', { state: 'stopped' })] });
    expect(planRestarts(inventory([host('h2')], [ended]))).toMatchObject([{ kind: 'wait' }]);
    const orphan = lost('web1', { restarts: restartsPerHourMax });
    expect(planRestarts(inventory([failed, host('h2')], [orphan]))).toMatchObject([{ kind: 'restart' }]);
  });

  it('[HA-13] pauses after a failed attempt and keeps its reason', () => {
    const paused = lost('web1', {
      notBeforeMs: nowMs + 1,
      desired: { waitingReason: 'the restart failed: x' },
    });
    expect(planRestarts(inventory([failed, host('h2')], [paused]))).toMatchObject([
      { kind: 'wait', reason: 'the restart failed: x' },
    ]);
    const over = lost('web1', { notBeforeMs: nowMs });
    expect(planRestarts(inventory([failed, host('h2')], [over]))).toMatchObject([{ kind: 'restart' }]);
  });

  it('[HA-14] counts a VM as missing only in a status well after the decision', () => {
    const missing = (statusAtMs: number | null) =>
      planRestarts(
        inventory(
          [host('h1', { statusAtMs })],
          [vm('web1', { desired: { host: 'h1', epoch: 1, decidedAtMs: nowMs - 5000 } })],
        ),
      );
    expect(missing(null)).toEqual([]);
    expect(missing(nowMs - 5000 + missingMs - 1)).toEqual([]);
    expect(missing(nowMs)).toMatchObject([{ kind: 'restart', cause: 'vm' }]);
  });

  describe('after the whole cluster was down', () => {
    const back = (name: string, ageMs: number) => host(name, { startedAtMs: nowMs - ageMs });
    const vms = [lost('web1'), vm('web2', { desired: { host: 'h2', epoch: 1, decidedAtMs: nowMs - 5000 } })];
    const kinds = (hosts: readonly HostInventory[]) =>
      planRestarts(inventory(hosts, vms)).map(({ kind }) => kind);

    it('[HA-15] waits for hosts that may come back, but not with VMs whose host is back', () => {
      expect(planRestarts(inventory([failed, back('h2', 3000)], vms))).toMatchObject([
        {
          kind: 'wait',
          vm: vms[0]?.spec.id,
          reason: 'host h1 failed; all hosts have just started: h1 may come back within 10 s of the first',
        },
        { kind: 'restart', vm: vms[1]?.spec.id, host: 'h2' },
      ]);
    });

    it('[HA-15] waits for a bounded time, counted from the first host that came back', () => {
      expect(kinds([failed, back('h2', gatherMs - 1), back('h3', 1000)])).toEqual(['wait', 'restart']);
      expect(kinds([failed, back('h2', gatherMs), back('h3', 1000)])).toEqual(['restart', 'restart']);
    });

    it('[HA-15] does not wait when a host that is there ran before: the cluster was not down', () => {
      expect(kinds([failed, back('h2', 3000), host('h3')])).toEqual(['restart', 'restart']);
    });

    it('[HA-15] does not wait when the host that failed ran while the others were started, one after the other', () => {
      const heardAt = (ageMs: number) => ({ ...failed, heardAtMs: nowMs - ageMs });
      expect(kinds([heardAt(1700), back('h2', 8000), back('h3', 4000)])).toEqual(['restart', 'restart']);
      expect(kinds([heardAt(8001), back('h2', 8000), back('h3', 4000)])).toEqual(['wait', 'restart']);
    });

    it('[HA-15] does not wait for a host that was back already, and failed', () => {
      const again = { ...failed, startedAtMs: nowMs - 5000 };
      expect(kinds([again, back('h2', 4000), back('h3', 3000)])).toEqual(['restart', 'restart']);
    });

    it('[HA-15] never waits once all known hosts are there', () => {
      const age = fc.integer({ min: 0, max: 20_000 });
      fc.assert(
        fc.property(age, age, age, (a, b, c) => {
          const hosts = [back('h1', a), back('h2', b), back('h3', c)];
          const waits = planRestarts(inventory(hosts, vms)).filter(({ kind }) => kind === 'wait');
          expect(waits).toEqual([]);
        }),
      );
    });
  });

  it('[HA-9] [HA-10] restarts each VM at most once, on a host with room, and nothing that may still run', () => {
    const state = fc.constantFrom('connected', 'suspect', 'isolated', 'failed') as fc.Arbitrary<
      'connected' | 'suspect' | 'isolated' | 'failed'
    >;
    const arbitraryVm = fc.record({
      on: fc.integer({ min: 0, max: 3 }),
      memoryMib: fc.integer({ min: 64, max: 512 }),
      isReported: fc.boolean(),
    });
    fc.assert(
      fc.property(
        fc.array(state, { minLength: 4, maxLength: 4 }),
        fc.array(arbitraryVm, { maxLength: 8 }),
        (states, shapes) => {
          const hosts = states.map((each, index) => host(`h${index}`, { state: each }));
          const before = shapes.map(({ on, memoryMib, isReported }, index) =>
            vm(`v${index}`, {
              shape: { memoryMib },
              desired: { host: `h${on}`, epoch: 1 },
              sightings: isReported ? [sighting(`h${on}`, `v${index}`)] : [],
            }),
          );
          const start = inventory(hosts, before);
          const already = new Reservations(start);
          const plan = planRestarts(start).filter((decision) => decision.kind === 'restart');
          expect(new Set(plan.map((decision) => decision.vm)).size).toBe(plan.length);
          const added = new Map<string, number>();
          for (const decision of plan) {
            const target = hosts.find(({ name }) => name === decision.host);
            expect(target?.state).toBe('connected');
            const from = hosts.find(({ name }) => name === decision.from);
            expect(['connected', 'failed']).toContain(from?.state);
            const lostVm = before.find(({ spec }) => spec.id === decision.vm);
            if (from?.state === 'connected') expect(lostVm?.sightings).toEqual([]);
            if (!already.holds(decision.host, decision.vm)) {
              const memoryMib = lostVm?.spec.machine.memoryMib ?? 0;
              added.set(decision.host, (added.get(decision.host) ?? 0) + memoryMib);
            }
          }
          for (const [name, memoryMib] of added) {
            expect(already.on(name).memoryMib + memoryMib).toBeLessThanOrEqual(1024);
          }
        },
      ),
    );
  });
});
