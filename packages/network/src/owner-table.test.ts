import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type OwnerRecord, OwnerTable } from './owner-table.ts';

const segment = 100;
const mac = 0x5254_0000_0001;
const owner = (host: string, epoch: number, vm = 'vm-a') => ({ vm, host, epoch });
const record = (host: string, epoch: number, vm = 'vm-a'): OwnerRecord => ({
  segment,
  mac,
  owner: owner(host, epoch, vm),
});
const keepNone = () => false;

it('the highest epoch wins, in whatever order and however often claims arrive', () => {
  // One host per epoch, as leases guarantee.
  const claims = fc.array(fc.integer({ min: 0, max: 30 }), { minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(claims, (epochs) => {
      const table = new OwnerTable();
      for (const epoch of epochs) table.set(segment, mac, owner(`h${epoch % 3}`, epoch));
      const highest = Math.max(...epochs);
      expect(table.lookup(segment, mac)).toEqual(owner(`h${highest % 3}`, highest));
    }),
  );
});

it('each claim is answered by what became of it', () => {
  const table = new OwnerTable(1);
  expect(table.set(segment, mac, owner('h1', 5))).toBe('accepted');
  expect(table.set(segment, mac, owner('h1', 5))).toBe('unchanged');
  expect(table.set(segment, mac, owner('h2', 5))).toBe('conflict');
  expect(table.set(segment, mac, owner('h2', 4))).toBe('stale');
  expect(table.set(segment, mac, owner('h2', 9, 'vm-b'))).toBe('other-vm');
  expect(table.set(segment, mac + 1, owner('h2', 1))).toBe('full');
  expect(table.set(segment, mac, owner('h2', 6))).toBe('accepted');
  expect(table.lookup(segment, mac)).toEqual(owner('h2', 6));
});

it('the same address in two segments has two owners', () => {
  const table = new OwnerTable();
  table.set(segment, mac, owner('h1', 1));
  table.set(segment + 1, mac, owner('h2', 1, 'vm-b'));
  expect(table.lookup(segment, mac)?.host).toBe('h1');
  expect(table.lookup(segment + 1, mac)?.host).toBe('h2');
});

it('only the VM that has the address loses it, and not by an older epoch', () => {
  const table = new OwnerTable();
  table.set(segment, mac, owner('h1', 5));
  expect(table.remove(segment, mac, 'vm-b', 9)).toBe(false);
  expect(table.remove(segment, mac, 'vm-a', 4)).toBe(false);
  expect(table.remove(segment, mac, 'vm-a', 5)).toBe(true);
  expect(table.size).toBe(0);
});

it('a whole view replaces the table but never lowers an epoch', () => {
  const table = new OwnerTable();
  table.set(segment, mac, owner('h2', 7));
  table.set(segment, mac + 1, owner('h2', 1, 'vm-gone'));
  const changed = table.reconcile([record('h1', 6)], keepNone);
  expect(table.lookup(segment, mac)).toEqual(owner('h2', 7));
  expect(table.lookup(segment, mac + 1)).toBeUndefined();
  expect(changed.map((each) => each.mac)).toEqual([mac + 1]);
});

it('a whole view gives an address to another VM, except one that must be kept', () => {
  const table = new OwnerTable();
  table.set(segment, mac, owner('h1', 7));
  table.reconcile([record('h2', 1, 'vm-b')], () => true);
  expect(table.lookup(segment, mac)).toEqual(owner('h1', 7));
  table.reconcile([record('h2', 1, 'vm-b')], keepNone);
  expect(table.lookup(segment, mac)).toEqual(owner('h2', 1, 'vm-b'));
});

it('reconciling with the same view again changes nothing', () => {
  const view = [record('h1', 6), { segment, mac: mac + 1, owner: owner('h2', 1, 'vm-b') }];
  const table = new OwnerTable();
  table.reconcile(view, keepNone);
  expect(table.reconcile(view, keepNone)).toEqual([]);
});
