import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { VmInventory } from './inventory.ts';
import { macOwners } from './mac-owners.ts';
import { guestPowerOff, reconcile } from './reconcile.ts';
import { host, inventory, runningVm, sighting, vm } from './testing/inventories.ts';

const hosts = [host('h1'), host('h2'), host('h3')];
const decide = (...vms: VmInventory[]) => reconcile(inventory(hosts, vms));
const operation = (kind: 'vm-migrate' | 'vm-restart') =>
  ({ id: 'op-0000000000000001', kind, host: 'h1', targetHost: 'h2', isWaiting: false }) as const;

describe('reconciliation', () => {
  it('[RC-6] decides nothing where spec, decision and status agree', () => {
    const off = vm('off', { shape: { power: 'off' } });
    const ending = vm('ending', {
      shape: { power: 'off' },
      sightings: [sighting('h1', 'ending', { state: 'stopping' })],
    });
    expect(decide(runningVm('web1', 'h1'), off, ending)).toEqual([]);
  });

  it('[RC-1] adopts a VM where it runs, and the epoch that it has', () => {
    const elsewhere = vm('web1', {
      desired: { host: 'h1', epoch: 1 },
      sightings: [sighting('h2', 'web1', { epoch: 2 })],
    });
    const raised = vm('web2', {
      desired: { host: 'h1', epoch: 1 },
      sightings: [sighting('h1', 'web2', { epoch: 3 })],
    });
    expect(decide(elsewhere, raised)).toMatchObject([
      { kind: 'adopt', host: 'h2', epoch: 2 },
      { kind: 'adopt', host: 'h1', epoch: 3 },
    ]);
  });

  it('[RC-2] stops a VM that is wanted off', () => {
    expect(decide(runningVm('web1', 'h1', { power: 'off' }))).toMatchObject([{ kind: 'stop' }]);
  });

  it('[RC-3] fences the older of two copies, also while the VM is being restarted', () => {
    const sightings = [sighting('h1', 'web1', { epoch: 1 }), sighting('h2', 'web1', { epoch: 2 })];
    const desired = { host: 'h2', epoch: 2 };
    const fence = [{ kind: 'fence', host: 'h1', epoch: 1 }];
    expect(decide(vm('web1', { desired, sightings }))).toMatchObject(fence);
    expect(decide(vm('web1', { desired, sightings, operation: operation('vm-restart') }))).toMatchObject(
      fence,
    );
  });

  it('[RC-3] fences a lone copy whose epoch has been passed by, and restores nothing from it', () => {
    const stale = vm('web1', {
      desired: { host: 'h2', epoch: 5 },
      sightings: [sighting('h1', 'web1', { epoch: 4 })],
    });
    expect(decide(stale).map(({ kind }) => kind)).toEqual(['fence']);
  });

  it('[RC-3] leaves both copies of a migration alone', () => {
    const sightings = [sighting('h1', 'web1', { state: 'suspended' }), sighting('h2', 'web1', { epoch: 2 })];
    expect(
      decide(
        vm('web1', { desired: { host: 'h1', epoch: 1 }, sightings, operation: operation('vm-migrate') }),
      ),
    ).toEqual([]);
  });

  it('[RC-3] fences the older copy of a VM whose migration still waits for its turn', () => {
    const sightings = [sighting('h1', 'web1', { epoch: 1 }), sighting('h2', 'web1', { epoch: 2 })];
    const waiting = { ...operation('vm-migrate'), isWaiting: true };
    expect(
      decide(vm('web1', { desired: { host: 'h1', epoch: 1 }, sightings, operation: waiting })),
    ).toMatchObject([{ kind: 'fence', host: 'h1', epoch: 1 }]);
  });

  it('[RC-4] fences what was deleted and leaves alone what was never known', () => {
    const strangers = [
      { ...sighting('h1', 'gone'), isDeleted: true },
      { ...sighting('h2', 'unknown'), isDeleted: false },
      { ...sighting('h3', 'ended', { state: 'stopped' as const }), isDeleted: true },
    ];
    expect(reconcile(inventory(hosts, [], { strangers }))).toMatchObject([
      { kind: 'fence', host: 'h1', reason: 'gone was deleted' },
    ]);
  });

  it('[RC-5] leaves off a guest that switched itself off, but not one that failed, rebooted or is of an older epoch', () => {
    const ended = (reason: string, epoch = 1) =>
      decide(
        vm('web1', {
          desired: { host: 'h1', epoch: 1 },
          sightings: [sighting('h1', 'web1', { state: 'stopped', reason, epoch })],
        }),
      ).map(({ kind }) => kind);
    expect(ended(guestPowerOff)).toEqual(['halt']);
    expect(ended('the guest: power reboot')).toEqual([]);
    expect(ended('its thread ended')).toEqual([]);
    expect(ended(guestPowerOff, 0)).toEqual([]);
  });

  it('sends nothing to a host that cannot be reached', () => {
    const unreachable = host('h1', { isReachable: false, state: 'suspect' });
    const off = runningVm('web1', 'h1', { power: 'off' });
    expect(reconcile(inventory([unreachable], [off]))).toEqual([]);
  });

  it('[RC-1] [RC-3] never fences the newest copy and settles on one host for each VM', () => {
    const copies = fc.uniqueArray(
      fc.record({ on: fc.integer({ min: 1, max: 3 }), epoch: fc.integer({ min: 1, max: 9 }) }),
      { selector: ({ on }) => on, maxLength: 3 },
    );
    fc.assert(
      fc.property(copies, fc.integer({ min: 0, max: 9 }), fc.boolean(), (seen, epoch, isOn) => {
        const decisions = decide(
          vm('web1', {
            shape: { power: isOn ? 'on' : 'off' },
            desired: { host: 'h1', epoch },
            sightings: seen.map((copy) => sighting(`h${copy.on}`, 'web1', { epoch: copy.epoch })),
          }),
        );
        const newest = Math.max(epoch, ...seen.map((copy) => copy.epoch));
        for (const decision of decisions) {
          if (decision.kind === 'fence') expect(decision.epoch).toBeLessThan(newest);
          if (decision.kind === 'adopt') expect(decision.epoch).toBe(newest);
        }
        expect(decisions.filter(({ kind }) => kind !== 'fence').length).toBeLessThanOrEqual(1);
      }),
    );
  });
});

describe('owners of addresses', () => {
  const segments = ['lan'];

  it('[RC-7] are the hosts with the highest epoch, reported or decided', () => {
    const arrived = vm('web1', {
      shape: { segments },
      desired: { host: 'h1', epoch: 1 },
      sightings: [sighting('h1', 'web1'), sighting('h2', 'web1', { epoch: 2 })],
    });
    const silent = vm('web2', { shape: { segments }, desired: { host: 'h3', epoch: 7 } });
    expect(macOwners([arrived, silent])).toMatchObject([
      { host: 'h2', epoch: 2, segment: 'lan' },
      { host: 'h3', epoch: 7, segment: 'lan' },
    ]);
  });

  it('[RC-7] are not hosts where a copy is still arriving or has ended', () => {
    const moving = vm('web1', {
      shape: { segments },
      desired: { host: 'h1', epoch: 1 },
      sightings: [
        sighting('h1', 'web1'),
        sighting('h2', 'web1', { epoch: 2, state: 'incoming' }),
        sighting('h3', 'web1', { epoch: 3, state: 'stopped' }),
      ],
    });
    expect(macOwners([moving])).toMatchObject([{ host: 'h1', epoch: 1 }]);
    expect(macOwners([vm('never', { shape: { segments } })])).toEqual([]);
  });
});
