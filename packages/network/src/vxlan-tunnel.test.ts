/** Real UDP sockets on loopback addresses, one for each host, as the hosts of `skein up` have. */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import type { Peer } from './forward.ts';
import { securityPolicyDefault } from './port-group.ts';
import { frameOf, macOf } from './testing/fabric.ts';
import { VirtualSwitch } from './virtual-switch.ts';
import { decodeVxlan, encodeVxlan } from './vxlan.ts';
import { type TunnelPacket, VxlanTunnel } from './vxlan-tunnel.ts';

const vni = 42;
const addresses = { h1: '127.0.21.1', h2: '127.0.21.2' } as const;
const closing: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()));
});

async function openTunnel(address: string, options: { port?: number; queuePacketsMax?: number } = {}) {
  const tunnel = await VxlanTunnel.open({ port: 0, address, ...options });
  closing.push(() => tunnel.close());
  return tunnel;
}

const peerOf = (host: string, tunnel: { address: string; port: number }): Peer => ({
  host,
  address: tunnel.address,
  port: tunnel.port,
});

/** Resolves with the next packets; a test that gets too few ends by its time limit. */
function nextPackets(tunnel: VxlanTunnel, count: number): Promise<TunnelPacket[]> {
  const packets: TunnelPacket[] = [];
  return new Promise((resolve) => {
    tunnel.onPacket((packet) => {
      packets.push(packet);
      if (packets.length === count) resolve(packets);
    });
  });
}

async function openPlainSocket(address: string): Promise<Socket> {
  const socket = createSocket('udp4');
  closing.push(async () => void socket.close());
  socket.bind(0, address);
  await once(socket, 'listening');
  return socket;
}

const always = () => true;
const frame = frameOf(macOf(2), macOf(1));

describe('the tunnel', () => {
  it('carries frames from address to address with the bytes of RFC 7348', async () => {
    const sender = await openTunnel(addresses.h1);
    const wire = await openPlainSocket(addresses.h2);
    const arrived = once(wire, 'message');
    sender.send([{ host: 'h2', address: addresses.h2, port: wire.address().port }], vni, frame, always);
    const [datagram, from] = (await arrived) as [Uint8Array, { address: string; port: number }];
    expect([...datagram]).toEqual([8, 0, 0, 0, 0, 0, vni, 0, ...frame]);
    expect([from.address, from.port]).toEqual([addresses.h1, sender.port]);
    await expect.poll(() => sender.counters().sentBytes).toBe(datagram.length);
  });

  it('tells who sent and ignores datagrams that are no VXLAN packets', async () => {
    const receiver = await openTunnel(addresses.h2);
    const stranger = await openPlainSocket(addresses.h1);
    const arrived = nextPackets(receiver, 1);
    for (const garbage of [new Uint8Array(0), new Uint8Array(30), encodeVxlan(vni, frame).subarray(0, 20)]) {
      stranger.send(garbage, receiver.port, receiver.address);
    }
    stranger.send(encodeVxlan(vni, frame), receiver.port, receiver.address);
    const [packet] = await arrived;
    expect({ ...packet, frame: [...(packet?.frame ?? [])] }).toEqual({
      vni,
      frame: [...frame],
      address: addresses.h1,
    });
    expect(receiver.counters()).toMatchObject({ receivedPackets: 4, malformed: 3 });
  });

  it('sends a packet to every peer of the list', async () => {
    const sender = await openTunnel(addresses.h1);
    const receivers = [await openTunnel(addresses.h2), await openTunnel('127.0.21.3')];
    const arrived = Promise.all(receivers.map((receiver) => nextPackets(receiver, 1)));
    sender.send(
      receivers.map((receiver, index) => peerOf(`h${index + 2}`, receiver)),
      vni,
      frame,
      always,
    );
    expect((await arrived).flat().map((packet) => packet.vni)).toEqual([vni, vni]);
  });

  it('asks the output guard immediately before each packet, and sends nothing that it refuses', async () => {
    const sender = await openTunnel(addresses.h1);
    const receiver = await openTunnel(addresses.h2);
    const peer = peerOf('h2', receiver);
    const arrived = nextPackets(receiver, 1);
    sender.send([peer], vni, frameOf(macOf(2), macOf(1), 'refused'), () => false);
    sender.send([peer], vni, frame, always);
    const [packet] = await arrived;
    expect([...(packet?.frame ?? [])]).toEqual([...frame]);
    expect(sender.counters().droppedByGuard).toBe(1);
  });

  it('drops beyond its queue and counts', async () => {
    const sender = await openTunnel(addresses.h1, { queuePacketsMax: 2 });
    const peers = Array.from({ length: 5 }, (_, index) => ({
      host: `h${index}`,
      address: addresses.h2,
      port: 9,
    }));
    sender.send(peers, vni, frame, () => false);
    expect(sender.counters()).toMatchObject({ droppedFull: 3, droppedByGuard: 2 });
  });

  it('counts what the system refuses and goes on', async () => {
    const sender = await openTunnel(addresses.h1);
    const receiver = await openTunnel(addresses.h2);
    const arrived = nextPackets(receiver, 1);
    sender.send([peerOf('h2', receiver)], vni, new Uint8Array(70_000), always);
    sender.send([peerOf('h2', receiver)], vni, frame, always);
    await arrived;
    await expect.poll(() => sender.counters()).toMatchObject({ sendErrors: 1, sentPackets: 1 });
  });

  it('says which address is in use or not this host’s', async () => {
    const first = await openTunnel(addresses.h1);
    const again = VxlanTunnel.open({ address: addresses.h1, port: first.port });
    await expect(again).rejects.toMatchObject({ code: 'address.in-use' });
    const elsewhere = VxlanTunnel.open({ address: '192.0.2.1', port: 0 });
    await expect(elsewhere).rejects.toMatchObject({ code: 'address.unavailable' });
  });

  it('sends nothing after it was closed, and may be closed twice', async () => {
    const tunnel = await openTunnel(addresses.h1);
    await tunnel.close();
    await tunnel.close();
    tunnel.send([{ host: 'h2', address: addresses.h2, port: 9 }], vni, frame, always);
    expect(tunnel.counters().sentPackets).toBe(0);
  });
});

describe('two switches with tunnels', () => {
  async function openHost(host: keyof typeof addresses, guest: number) {
    const tunnel = await openTunnel(addresses[host]);
    const target = new VirtualSwitch({ host, uplink: tunnel, nowMs: () => performance.now() });
    target.addPortGroup({ name: 'blue', vni, vlan: 0, policy: securityPolicyDefault });
    const mac = macOf(guest);
    const waiting: ((frame: Uint8Array) => void)[] = [];
    const options = { portGroup: 'blue', vm: `vm-${guest}`, nic: 0, mac, epoch: 1, mayOutput: always };
    const deliver = (received: Uint8Array) => {
      waiting.shift()?.(received.slice());
      return true;
    };
    const port = target.addPort({ ...options, deliver });
    const nextFrame = () => new Promise<Uint8Array>((resolve) => waiting.push(resolve));
    return { host, tunnel, target, port, mac, vm: options.vm, nextFrame };
  }

  it('let guests on two hosts talk both ways, until one of them is owned elsewhere', async () => {
    const hosts = [await openHost('h1', 1), await openHost('h2', 2)] as const;
    const [h1, h2] = hosts;
    for (const each of hosts) {
      each.target.setPeers(hosts.map(({ host, tunnel }) => peerOf(host, tunnel)));
      for (const { host, mac, vm } of hosts) each.target.setOwner({ vni, mac, vm, host, epoch: 1 });
    }
    const asked = h2.nextFrame();
    h1.target.transmit(h1.port, frameOf(h2.mac, h1.mac, 'ask'));
    expect([...(await asked)]).toEqual([...frameOf(h2.mac, h1.mac, 'ask')]);
    const answered = h1.nextFrame();
    h2.target.transmit(h2.port, frameOf(h1.mac, h2.mac, 'answer'));
    expect([...(await answered)]).toEqual([...frameOf(h1.mac, h2.mac, 'answer')]);

    // h2 has heard that vm-1 runs on h3 now; h1, stopped meanwhile, has not and still sends.
    h2.target.setOwner({ vni, mac: h1.mac, vm: h1.vm, host: 'h3', epoch: 2 });
    h1.target.transmit(h1.port, frameOf(h2.mac, h1.mac, 'stale'));
    await expect.poll(() => h2.target.status().uplink.dropped).toEqual({ 'not-owner': 1 });
    expect(h2.target.portStatus(h2.port).traffic.out.frames).toBe(1);
  });

  it('leave nothing but VXLAN packets on the wire', async () => {
    const h1 = await openHost('h1', 1);
    const wire = await openPlainSocket(addresses.h2);
    h1.target.setPeers([{ host: 'h2', address: addresses.h2, port: wire.address().port }]);
    h1.target.setOwner({ vni, mac: h1.mac, vm: h1.vm, host: 'h1', epoch: 1 });
    const arrived = once(wire, 'message');
    h1.target.announce(h1.port);
    const [datagram] = (await arrived) as [Uint8Array];
    expect(decodeVxlan(datagram)?.vni).toBe(vni);
  });
});
