/** Properties of forwarding over whole fabrics: three hosts, several segments, any traffic in any order. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatMac, sourceOf } from './ethernet.ts';
import { type PortGroup, securityPolicyDefault } from './port-group.ts';
import {
  addressOf,
  attachStation,
  everyone,
  Fabric,
  frameOf,
  macOf,
  peersOf,
  type Station,
} from './testing/fabric.ts';
import type { VirtualSwitch } from './virtual-switch.ts';
import { withVlanTag } from './vlan.ts';

const hosts = ['h1', 'h2', 'h3'];

const groups: readonly PortGroup[] = [
  { name: 'red', vni: 100, vlan: 0, policy: securityPolicyDefault },
  { name: 'red-7', vni: 100, vlan: 7, policy: securityPolicyDefault },
  { name: 'blue', vni: 200, vlan: 0, policy: securityPolicyDefault },
  {
    name: 'blue-open',
    vni: 200,
    vlan: 0,
    policy: { promiscuous: 'accept', forgedTransmits: 'accept', macChanges: 'accept' },
  },
  { name: 'private', vni: null, vlan: 0, policy: securityPolicyDefault },
  { name: 'private-7', vni: null, vlan: 7, policy: securityPolicyDefault },
];

interface Guest extends Station {
  readonly host: string;
  readonly group: PortGroup;
}

interface Network {
  readonly fabric: Fabric;
  readonly switches: ReadonlyMap<string, VirtualSwitch>;
  readonly guests: readonly Guest[];
}

/** One guest on each port group of each host, each with an address of its own that everybody knows. */
function buildNetwork(): Network {
  const fabric = new Fabric();
  const switches = new Map(hosts.map((host) => [host, fabric.addHost(host)]));
  const guests: Guest[] = [];
  for (const [host, target] of switches) {
    target.setPeers(peersOf(hosts));
    for (const group of groups) {
      target.addPortGroup(group);
      const mac = macOf(guests.length + 1);
      guests.push({ ...attachStation(target, { portGroup: group.name, vm: `vm-${mac}`, mac }), host, group });
    }
  }
  for (const target of switches.values()) {
    for (const guest of guests) target.setOwner(ownership(guest, guest.host, 1));
  }
  return { fabric, switches, guests };
}

function ownership(guest: Guest, host: string, epoch: number) {
  return { vni: guest.group.vni, vlan: guest.group.vlan, mac: guest.mac, vm: guest.vm, host, epoch };
}

/** Guests of one segment: private ones do not even reach the other hosts. */
function areTogether(a: Guest, b: Guest): boolean {
  const isSameSegment = a.group.vni === b.group.vni && a.group.vlan === b.group.vlan;
  return isSameSegment && (a.group.vni !== null || a.host === b.host);
}

const guestCount = hosts.length * groups.length;
const anyGuest = fc.nat(guestCount - 1);

const transmission = fc.record({
  kind: fc.constant('transmit' as const),
  guest: anyGuest,
  destination: fc.oneof(
    anyGuest.map((index) => macOf(index + 1)),
    fc.constantFrom(everyone, macOf(999), '01:00:5e:00:00:01'),
  ),
  source: fc.option(anyGuest, { freq: 4 }),
  vlan: fc.option(fc.constantFrom(0, 7, 200), { freq: 4 }),
});
const intrusion = fc.record({
  kind: fc.constant('inject' as const),
  from: fc.constantFrom('192.0.2.1', '192.0.2.2', '192.0.2.99'),
  to: fc.constantFrom(...hosts.map(addressOf)),
  vni: fc.constantFrom(0, 1, 100, 200, 0xff_ffff),
  destination: fc.oneof(
    anyGuest.map((index) => macOf(index + 1)),
    fc.constant(everyone),
  ),
  source: anyGuest,
  vlan: fc.constantFrom(0, 7, 9),
});
const ownerMove = fc.record({
  kind: fc.constant('own' as const),
  guest: anyGuest,
  host: fc.constantFrom(...hosts),
  epoch: fc.nat(4),
});
const events = fc.array(fc.oneof(transmission, intrusion, ownerMove), { maxLength: 60 });

type NetworkEvent =
  | (typeof transmission extends fc.Arbitrary<infer T> ? T : never)
  | (typeof intrusion extends fc.Arbitrary<infer T> ? T : never)
  | (typeof ownerMove extends fc.Arbitrary<infer T> ? T : never);

/** Plays the event and returns the guest that sent, if one did. */
function play(network: Network, event: NetworkEvent): Guest | null {
  const { fabric, switches, guests } = network;
  const guest = guests[event.kind === 'inject' ? event.source : event.guest];
  if (guest === undefined) throw new Error('events name guests that exist');
  if (event.kind === 'own') {
    for (const target of switches.values()) target.setOwner(ownership(guest, event.host, event.epoch));
    return null;
  }
  const source = event.source === null ? guest.mac : macOf(event.source + 1);
  const bare = frameOf(event.destination, source, guest.group.name);
  const frame = event.vlan === null ? bare : withVlanTag(bare, event.vlan);
  if (event.kind === 'inject') {
    fabric.inject({ from: event.from, to: event.to, vni: event.vni, frame });
    return null;
  }
  switches.get(guest.host)?.transmit(guest.port, frame);
  return guest;
}

describe('whatever is sent, by whomever', () => {
  it('a frame reaches guests of its own segment only', () => {
    fc.assert(
      fc.property(events, (played) => {
        const network = buildNetwork();
        for (const event of played) {
          const before = network.guests.map((guest) => guest.got.length);
          const sender = play(network, event);
          if (sender === null) continue;
          for (const [index, receiver] of network.guests.entries()) {
            if (receiver.got.length > (before[index] ?? 0)) expect(areTogether(sender, receiver)).toBe(true);
          }
        }
      }),
      { numRuns: 60 },
    );
  });

  it('what a peer sends reaches the segment of its VNI and tag only', () => {
    fc.assert(
      fc.property(events, (played) => {
        const network = buildNetwork();
        for (const event of played) {
          const before = network.guests.map((guest) => guest.got.length);
          play(network, event);
          if (event.kind !== 'inject') continue;
          for (const [index, { group, got }] of network.guests.entries()) {
            if (got.length > (before[index] ?? 0))
              expect([group.vni, group.vlan]).toEqual([event.vni, event.vlan]);
          }
        }
      }),
      { numRuns: 60 },
    );
  });

  it('a frame is never given back to its sender, nor twice to anyone', () => {
    fc.assert(
      fc.property(events, (played) => {
        const network = buildNetwork();
        for (const event of played) {
          const before = network.guests.map((guest) => guest.got.length);
          const sender = play(network, event);
          for (const [index, receiver] of network.guests.entries()) {
            const more = receiver.got.length - (before[index] ?? 0);
            expect(more).toBeLessThanOrEqual(receiver === sender ? 0 : 1);
          }
        }
      }),
      { numRuns: 60 },
    );
  });

  it('nothing with an owned source is accepted from anywhere but its owner, and nobody fenced gets anything', () => {
    fc.assert(
      fc.property(events, (played) => {
        const network = buildNetwork();
        const owners = new Map(network.guests.map((guest) => [guest.mac, { host: guest.host, epoch: 1 }]));
        for (const event of played) {
          const before = network.guests.map((guest) => guest.got.length);
          const sender = play(network, event);
          if (event.kind === 'own') {
            const mac = macOf(event.guest + 1);
            if (event.epoch > (owners.get(mac)?.epoch ?? 0))
              owners.set(mac, { host: event.host, epoch: event.epoch });
            continue;
          }
          for (const [index, receiver] of network.guests.entries()) {
            if (receiver.got.length === (before[index] ?? 0)) continue;
            expect(owners.get(receiver.mac)).toEqual({ host: receiver.host, epoch: 1 });
            const source = formatMac(sourceOf(receiver.got.at(-1) ?? new Uint8Array(14)));
            if (!isStationOf(network, receiver, source)) continue;
            const sentFrom = event.kind === 'inject' ? event.from : addressOf(sender?.host ?? '');
            expect(addressOf(owners.get(source)?.host ?? '')).toBe(sentFrom);
          }
        }
      }),
      { numRuns: 60 },
    );
  });

  it('segments without a VNI never reach the guest network', () => {
    fc.assert(
      fc.property(fc.array(transmission, { maxLength: 60 }), (played) => {
        const network = buildNetwork();
        for (const event of played) {
          const crossed = network.fabric.packets.length;
          const sender = play(network, event);
          if (sender?.group.vni === null) expect(network.fabric.packets.length).toBe(crossed);
        }
      }),
      { numRuns: 60 },
    );
  });
});

/** Ownership counts inside a segment; the same address elsewhere is another station. */
function isStationOf(network: Network, receiver: Guest, mac: string): boolean {
  const owned = network.guests.find((guest) => guest.mac === mac);
  return (
    owned !== undefined && owned.group.vni === receiver.group.vni && owned.group.vlan === receiver.group.vlan
  );
}
