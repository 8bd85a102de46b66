import { describe, expect, it } from 'vitest';
import { buildFrame, parseMac } from './ethernet.ts';
import { securityPolicyDefault } from './port-group.ts';
import { rarpAnnouncement } from './rarp.ts';
import {
  addressOf,
  attachStation,
  everyone,
  Fabric,
  frameOf,
  macOf,
  peersOf,
  policyWith,
  type Station,
  type StationOptions,
} from './testing/fabric.ts';
import { VirtualSwitch } from './virtual-switch.ts';
import { withVlanTag } from './vlan.ts';

const vni = 42;
const blue = { name: 'blue', vni, vlan: 0, policy: securityPolicyDefault };
const own = (station: Station, host: string, epoch = 1) => ({
  vni,
  mac: station.mac,
  vm: station.vm,
  host,
  epoch,
});
const text = (frame: Uint8Array | undefined) => new TextDecoder().decode(frame?.subarray(14));

/** Two hosts on one segment that know each other. */
function buildPair() {
  const fabric = new Fabric();
  const [h1, h2] = [fabric.addHost('h1'), fabric.addHost('h2')];
  const attach = (host: 'h1' | 'h2', options: Omit<StationOptions, 'portGroup'> & { portGroup?: string }) => {
    const target = host === 'h1' ? h1 : h2;
    const station = attachStation(target, { portGroup: 'blue', ...options });
    for (const each of [h1, h2]) each.setOwner(own(station, host, options.epoch));
    return station;
  };
  for (const each of [h1, h2]) {
    each.addPortGroup(blue);
    each.setPeers(peersOf(['h1', 'h2']));
  }
  return { fabric, h1, h2, attach };
}

describe('forwarding', () => {
  it('a known unicast goes to its one port, here and at a peer', () => {
    const { fabric, h1, attach } = buildPair();
    const [a, b, c] = [1, 2, 3].map((n) => attach('h1', { vm: `vm-${n}`, mac: macOf(n) })) as [
      Station,
      Station,
      Station,
    ];
    const d = attach('h2', { vm: 'vm-4', mac: macOf(4) });
    expect(h1.transmit(a.port, frameOf(b.mac, a.mac, 'local'))).toBe('forwarded');
    expect(h1.transmit(a.port, frameOf(d.mac, a.mac, 'remote'))).toBe('forwarded');
    expect(b.got.map(text)).toEqual(['local']);
    expect(d.got.map(text)).toEqual(['remote']);
    expect(c.got).toEqual([]);
    expect(fabric.packets.map(({ to, vni: onWire }) => [to, onWire])).toEqual([[addressOf('h2'), vni]]);
  });

  it('a broadcast reaches every port of the segment here and every peer once', () => {
    const { fabric, h1, attach } = buildPair();
    h1.setPeers(peersOf(['h1', 'h2', 'h3']));
    const a = attach('h1', { vm: 'vm-1', mac: macOf(1) });
    const others = [attach('h1', { vm: 'vm-2', mac: macOf(2) }), attach('h2', { vm: 'vm-3', mac: macOf(3) })];
    h1.transmit(a.port, frameOf(everyone, a.mac, 'all'));
    expect(others.map(({ got }) => got.map(text))).toEqual([['all'], ['all']]);
    expect(fabric.packets.map(({ to }) => to)).toEqual([addressOf('h2'), addressOf('h3')]);
  });

  it('an unknown unicast goes to all peers but is not shown to guests that it cannot be for', () => {
    const { fabric, h1, attach } = buildPair();
    const a = attach('h1', { vm: 'vm-1', mac: macOf(1) });
    const b = attach('h1', { vm: 'vm-2', mac: macOf(2) });
    h1.transmit(a.port, frameOf(macOf(99), a.mac));
    expect(fabric.packets).toHaveLength(1);
    expect(b.got).toEqual([]);
  });

  it('a station without owner is learned behind its peer, and is then reached there alone', () => {
    const fabric = new Fabric();
    const h1 = fabric.addHost('h1', { unownedSources: 'accept' });
    h1.addPortGroup(blue);
    h1.setPeers(peersOf(['h2', 'h3']));
    const a = attachStation(h1, { portGroup: 'blue', vm: 'vm-1', mac: macOf(1) });
    const outside = macOf(50);
    h1.transmit(a.port, frameOf(outside, a.mac));
    fabric.inject({ from: addressOf('h3'), to: addressOf('h1'), vni, frame: frameOf(a.mac, outside) });
    fabric.packets.length = 0;
    h1.transmit(a.port, frameOf(outside, a.mac));
    expect(fabric.packets.map(({ to }) => to)).toEqual([addressOf('h3')]);
    fabric.nowMs += 300_000;
    fabric.packets.length = 0;
    h1.transmit(a.port, frameOf(outside, a.mac));
    expect(fabric.packets).toHaveLength(2);
  });

  it('what came from a peer is never sent to a peer', () => {
    const { fabric, h1, attach } = buildPair();
    h1.setPeers(peersOf(['h2', 'h3']));
    const remote = attach('h2', { vm: 'vm-2', mac: macOf(2) });
    for (const destination of [everyone, macOf(99)]) {
      fabric.inject({
        from: addressOf('h2'),
        to: addressOf('h1'),
        vni,
        frame: frameOf(destination, remote.mac),
      });
    }
    expect(h1.status().uplink).toMatchObject({ in: { frames: 2 }, out: { frames: 0 } });
  });

  it('a VLAN inside a VNI is a segment of its own, tagged on the uplink only', () => {
    const { fabric, h1, h2 } = buildPair();
    const stations = [h1, h2].map((target, index) => {
      target.addPortGroup({ name: 'blue-7', vni, vlan: 7, policy: securityPolicyDefault });
      const mac = macOf(index + 1);
      const station = attachStation(target, { portGroup: 'blue-7', vm: `vm-${mac}`, mac });
      for (const each of [h1, h2]) each.setOwner({ ...own(station, `h${index + 1}`), vlan: 7 });
      return station;
    }) as [Station, Station];
    const sent = frameOf(stations[1].mac, stations[0].mac);
    h1.transmit(stations[0].port, sent);
    expect([...(fabric.packets[0]?.frame ?? [])]).toEqual([...withVlanTag(sent, 7)]);
    expect([...(stations[1].got[0] ?? [])]).toEqual([...sent]);
  });

  it('a switch without uplink keeps everything in the host', () => {
    const single = new VirtualSwitch({ host: 'h1', nowMs: () => 0 });
    single.addPortGroup(blue);
    single.setPeers(peersOf(['h2']));
    const [a, b] = [1, 2].map((n) =>
      attachStation(single, { portGroup: 'blue', vm: `vm-${n}`, mac: macOf(n) }),
    ) as [Station, Station];
    for (const station of [a, b]) single.setOwner(own(station, 'h1'));
    expect(single.transmit(a.port, frameOf(everyone, a.mac))).toBe('forwarded');
    expect(b.got).toHaveLength(1);
    expect(single.status().uplink.out.frames).toBe(0);
  });
});

describe('refusals', () => {
  it('runts, frames above the MTU, tagged frames and impossible sources are dropped and counted', () => {
    const { h1, attach } = buildPair();
    const a = attach('h1', { vm: 'vm-1', mac: macOf(1) });
    const sized = (bytes: number) =>
      buildFrame(
        { destination: parseMac(everyone), source: parseMac(a.mac), etherType: 0x800 },
        new Uint8Array(bytes),
      );
    expect(h1.transmit(a.port, new Uint8Array(13))).toBe('runt');
    expect(h1.transmit(a.port, sized(1500))).toBe('forwarded');
    expect(h1.transmit(a.port, sized(1501))).toBe('oversize');
    expect(h1.transmit(a.port, withVlanTag(sized(46), 7))).toBe('tagged');
    expect(h1.transmit(a.port, frameOf(macOf(2), '01:00:5e:00:00:01'))).toBe('bad-source');
    expect(h1.transmit(a.port, frameOf(macOf(2), '00:00:00:00:00:00'))).toBe('bad-source');
    expect(h1.transmit(a.port, frameOf('01:80:c2:00:00:00', a.mac))).toBe('reserved-destination');
    expect(h1.portStatus(a.port).traffic.dropped).toEqual({
      runt: 1,
      oversize: 1,
      tagged: 1,
      'bad-source': 2,
      'reserved-destination': 1,
    });
  });

  it('a port sends with its own address only, unless its policy accepts forged transmits', () => {
    const { h1, attach } = buildPair();
    h1.addPortGroup({ ...blue, name: 'nested', policy: policyWith({ forgedTransmits: 'accept' }) });
    const a = attach('h1', { vm: 'vm-1', mac: macOf(1) });
    const b = attach('h1', { vm: 'vm-2', mac: macOf(2), portGroup: 'nested' });
    expect(h1.transmit(a.port, frameOf(everyone, macOf(9)))).toBe('forged-source');
    expect(h1.transmit(b.port, frameOf(everyone, macOf(9)))).toBe('forwarded');
    expect(h1.transmit(b.port, frameOf(everyone, a.mac))).toBe('not-owner');
  });

  it('a guest that changed its address gets nothing while its policy rejects that', () => {
    const { h1, attach } = buildPair();
    const a = attach('h1', { vm: 'vm-1', mac: macOf(1) });
    const b = attach('h1', { vm: 'vm-2', mac: macOf(2) });
    h1.setEffectiveMac(b.port, macOf(9));
    h1.transmit(a.port, frameOf(everyone, a.mac));
    expect(b.got).toHaveLength(0);
    h1.setEffectiveMac(b.port, b.mac);
    h1.transmit(a.port, frameOf(everyone, a.mac));
    expect(b.got).toHaveLength(1);
  });

  it('only a promiscuous port sees unicast frames for others', () => {
    const { h1, attach } = buildPair();
    h1.addPortGroup({ ...blue, name: 'sniffer', policy: policyWith({ promiscuous: 'accept' }) });
    const [a, b, c] = [1, 2, 3].map((n) => attach('h1', { vm: `vm-${n}`, mac: macOf(n) })) as [
      Station,
      Station,
      Station,
    ];
    const sniffer = attach('h1', { vm: 'vm-4', mac: macOf(4), portGroup: 'sniffer' });
    h1.transmit(a.port, frameOf(b.mac, a.mac));
    expect([b, c, sniffer].map(({ got }) => got.length)).toEqual([1, 0, 1]);
  });

  it('packets of strangers and of segments that are not here are dropped, VNI 0 included', () => {
    const { fabric, h1, attach } = buildPair();
    h1.addPortGroup({ name: 'private', vni: null, vlan: 0, policy: securityPolicyDefault });
    const a = attach('h1', { vm: 'vm-1', mac: macOf(1) });
    const remote = attach('h2', { vm: 'vm-2', mac: macOf(2) });
    const packet = { from: addressOf('h2'), to: addressOf('h1'), vni, frame: frameOf(a.mac, remote.mac) };
    fabric.inject({ ...packet, from: '192.0.2.77' });
    fabric.inject({ ...packet, vni: 43 });
    fabric.inject({ ...packet, vni: 0 });
    fabric.inject({ ...packet, frame: withVlanTag(packet.frame, 9) });
    fabric.inject({ ...packet, frame: new Uint8Array(3) });
    fabric.inject({ ...packet, frame: frameOf(a.mac, macOf(98)) });
    expect(a.got).toHaveLength(0);
    expect(h1.status().uplink.dropped).toEqual({
      'unknown-peer': 1,
      'unknown-segment': 3,
      runt: 1,
      'unowned-source': 1,
    });
  });

  it('a receiver without room loses the frame, which is counted at its port', () => {
    const { h1, attach } = buildPair();
    const a = attach('h1', { vm: 'vm-1', mac: macOf(1) });
    const b = attach('h1', { vm: 'vm-2', mac: macOf(2), capacityFrames: 1 });
    for (let count = 0; count < 3; count += 1) h1.transmit(a.port, frameOf(b.mac, a.mac));
    expect(h1.portStatus(b.port).traffic).toMatchObject({
      out: { frames: 1 },
      dropped: { 'receiver-full': 2 },
    });
  });

  it('two peers with one address are refused and the table stays', () => {
    const { h1 } = buildPair();
    const twins = [...peersOf(['h2']), { host: 'h3', address: addressOf('h2'), port: 4789 }];
    expect(() => h1.setPeers(twins)).toThrow('Two peers have the address');
    expect(h1.status().peers).toBe(1);
  });
});

describe('ownership', () => {
  it('a migration moves the address: the old host is shut both ways at once, the new one opens', () => {
    const { h1, h2, attach } = buildPair();
    const peer = attach('h1', { vm: 'vm-1', mac: macOf(1) });
    const source = attach('h1', { vm: 'vm-2', mac: macOf(2), epoch: 4 });
    // Prepared before the commit: shut, although its epoch is the higher one.
    const target = attachStation(h2, { portGroup: 'blue', vm: 'vm-2', mac: macOf(2), epoch: 5 });
    expect(h2.portStatus(target.port).state).toBe('not-owner');
    expect(h2.transmit(target.port, frameOf(everyone, target.mac))).toBe('not-owner');
    h1.transmit(peer.port, frameOf(source.mac, peer.mac, 'before'));

    for (const each of [h1, h2]) each.setOwner(own(target, 'h2', 5));
    expect(h2.announce(target.port)).toBe('forwarded');
    expect(h1.transmit(source.port, frameOf(peer.mac, source.mac))).toBe('stale-epoch');
    h1.transmit(peer.port, frameOf(target.mac, peer.mac, 'after'));
    expect(source.got.map(text)).toEqual(['before']);
    expect(target.got.map(text)).toEqual(['after']);
    expect(peer.got.map((frame) => [...frame])).toEqual([[...rarpAnnouncement(target.mac)]]);
  });

  it('what a fenced host still sends is refused by every other switch, its announcements too', () => {
    const { fabric, h1, h2, attach } = buildPair();
    const victim = attach('h2', { vm: 'vm-1', mac: macOf(1) });
    const moved = attach('h1', { vm: 'vm-2', mac: macOf(2), epoch: 4 });
    h2.setOwner(own(moved, 'h3', 5)); // h1 was stopped and has heard nothing of it
    expect(h1.announce(moved.port)).toBe('forwarded');
    expect(h1.transmit(moved.port, frameOf(victim.mac, moved.mac))).toBe('forwarded');
    expect(victim.got).toHaveLength(0);
    expect(h2.status().uplink.dropped).toEqual({ 'not-owner': 2 });
    expect(fabric.packets).toHaveLength(2);
  });

  it('a fenced runner beside its successor on one host gets and sends nothing', () => {
    const { h1, attach } = buildPair();
    const peer = attach('h1', { vm: 'vm-1', mac: macOf(1) });
    const old = attach('h1', { vm: 'vm-2', mac: macOf(2), epoch: 4 });
    const next = attach('h1', { vm: 'vm-2', mac: macOf(2), epoch: 6 });
    h1.transmit(peer.port, frameOf(next.mac, peer.mac));
    expect([old.got.length, next.got.length]).toEqual([0, 1]);
    expect(h1.transmit(old.port, frameOf(peer.mac, old.mac))).toBe('stale-epoch');
    expect(h1.transmit(next.port, frameOf(peer.mac, next.mac))).toBe('forwarded');
  });

  it('late, repeated and contradicting claims change nothing and are counted', () => {
    const { h1, attach } = buildPair();
    const a = attach('h1', { vm: 'vm-1', mac: macOf(1), epoch: 5 });
    expect(h1.setOwner(own(a, 'h2', 4))).toBe('stale');
    expect(h1.setOwner(own(a, 'h2', 5))).toBe('conflict');
    expect(h1.setOwner({ ...own(a, 'h2', 9), vm: 'vm-other' })).toBe('other-vm');
    expect(h1.setOwner(own(a, 'h1', 5))).toBe('unchanged');
    expect(h1.portStatus(a.port).state).toBe('open');
    expect(h1.status().refusedOwners).toEqual({ stale: 1, conflict: 1, 'other-vm': 1, full: 0 });
  });

  it('a whole list never shuts a port that is rightly open, and forgets what is gone', () => {
    const { h1, attach } = buildPair();
    const a = attach('h1', { vm: 'vm-1', mac: macOf(1) });
    const gone = attach('h2', { vm: 'vm-2', mac: macOf(2) });
    h1.reconcileOwners([]);
    expect(h1.portStatus(a.port).state).toBe('open');
    expect(h1.status().owners).toBe(1);
    expect(h1.removeOwner(own(gone, 'h2'))).toBe(false);
  });

  it('a lease taken anew opens the port again', () => {
    const { h1, attach } = buildPair();
    const a = attach('h1', { vm: 'vm-1', mac: macOf(1), epoch: 1 });
    h1.setOwner(own(a, 'h1', 2));
    expect(h1.portStatus(a.port).state).toBe('stale-epoch');
    h1.raisePortEpoch(a.port, 2);
    expect(h1.portStatus(a.port).state).toBe('open');
  });
});

describe('output guard', () => {
  it('nothing of a VM whose lease is over goes anywhere', () => {
    const { fabric, h1, attach } = buildPair();
    const a = attach('h1', { vm: 'vm-1', mac: macOf(1) });
    const b = attach('h1', { vm: 'vm-2', mac: macOf(2) });
    a.lease.isHeld = false;
    expect(h1.transmit(a.port, frameOf(everyone, a.mac))).toBe('lease-over');
    expect(h1.announce(a.port)).toBe('lease-over');
    expect(b.got).toHaveLength(0);
    expect(fabric.packets).toHaveLength(0);
  });
});

describe('ports', () => {
  it('a mirror sees both directions, refused frames included, until it is taken off', () => {
    const { h1, attach } = buildPair();
    const [a, b] = [1, 2].map((n) => attach('h1', { vm: `vm-${n}`, mac: macOf(n) })) as [Station, Station];
    const seen: string[] = [];
    h1.mirror(a.port, (frame, direction) => seen.push(`${direction} ${text(frame)}`));
    h1.transmit(a.port, frameOf(b.mac, a.mac, 'ask'));
    h1.transmit(b.port, frameOf(a.mac, b.mac, 'answer'));
    h1.transmit(a.port, frameOf(b.mac, macOf(9), 'forged'));
    h1.mirror(a.port, null);
    h1.transmit(a.port, frameOf(b.mac, a.mac, 'unseen'));
    expect(seen).toEqual(['from-guest ask', 'to-guest answer', 'from-guest forged']);
  });

  it('a removed port neither sends nor gets, and its id is never given again', () => {
    const { h1, attach } = buildPair();
    const [a, b] = [1, 2].map((n) => attach('h1', { vm: `vm-${n}`, mac: macOf(n) })) as [Station, Station];
    h1.removePort(b.port);
    h1.removePort(b.port);
    expect(h1.transmit(b.port, frameOf(a.mac, b.mac))).toBe('unknown-port');
    expect(h1.transmit(a.port, frameOf(b.mac, a.mac))).toBe('no-way');
    expect(attach('h1', { vm: 'vm-2', mac: macOf(2) }).port).not.toBe(b.port);
  });

  it('a port group with ports is not removed, and its segment lives as long as its last group', () => {
    const { h1, attach } = buildPair();
    h1.addPortGroup({ ...blue, name: 'blue-too' });
    const a = attach('h1', { vm: 'vm-1', mac: macOf(1) });
    expect(() => h1.removePortGroup('blue')).toThrow('has no ports');
    h1.removePortGroup('blue-too');
    expect(h1.transmit(a.port, frameOf(everyone, a.mac))).toBe('forwarded');
  });
});
