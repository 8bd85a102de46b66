import {
  agentAgentProtocol,
  type HostAddresses,
  type MacOwner,
  type NetworkKind,
  OwnAddresses,
  type PeerHost,
} from '@skein/shared';
import { dial } from '@skein/transport';
import { afterEach, describe, expect, it } from 'vitest';
import { Relay } from '../testing/relay.ts';
import { PeerLinks } from './peer-links.ts';

const timing = { peerAlivePeriodMs: 50, peerSilenceMsMax: 400, peerMeetMs: 1500 };
const token = new Uint8Array(32).fill(7);
const authentication = { kind: 'token', token } as const;

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

interface Peer {
  readonly name: string;
  readonly links: PeerLinks;
  addresses: HostAddresses;
  readonly owners: MacOwner[];
  /** What it was told: everybody that fell silent, in turn. */
  readonly fellSilent: string[];
}

const networks = ['migration', 'guest-a'] as const;

async function start(name: string, station: number): Promise<Peer> {
  const all = { migration: `127.0.42.${station}`, 'guest-a': `127.0.46.${station}` };
  const peer: { -readonly [K in keyof Peer]: Peer[K] } = {
    name,
    addresses: all,
    owners: [],
    fellSilent: [],
    links: null as never,
  };
  peer.links = await PeerLinks.open({
    own: { role: 'agent', name, bootId: String(station).padStart(32, '0') },
    configured: OwnAddresses.parse(all),
    current: () => peer.addresses,
    port: 0,
    authentication,
    timing,
    onOwners: (owners) => peer.owners.push(...owners),
    ownOwners: () => [
      {
        mac: `52:54:00:00:00:0${station}`,
        segment: 'lan',
        vm: `vm-${'0'.repeat(15)}${station}`,
        host: name,
        epoch: 1,
      },
    ],
    onSilence: (fallen) => peer.fellSilent.push(...fallen.map(({ host, network }) => `${host} ${network}`)),
  });
  closers.push(() => peer.links.close());
  return peer;
}

function viewOf({ name, addresses, links }: Peer): PeerHost {
  return { host: name, addresses, peerPorts: links.ports, vxlanPort: null };
}

/** The second one as the first one reaches it on that network: through a cable that can be cut. */
async function through(view: PeerHost, network: NetworkKind): Promise<{ view: PeerHost; cable: Relay }> {
  const cable = await Relay.to({
    address: view.addresses[network] ?? '',
    port: view.peerPorts[network] ?? 0,
  });
  closers.push(() => cable.close());
  const addresses = { ...view.addresses, [network]: cable.address };
  return { view: { ...view, addresses, peerPorts: { ...view.peerPorts, [network]: cable.port } }, cable };
}

async function eventually(what: string, condition: () => boolean, deadlineMs = 10_000): Promise<void> {
  const endsAt = performance.now() + deadlineMs;
  while (!condition()) {
    if (performance.now() > endsAt) throw new Error(`not in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const silentOf = ({ links }: Peer) => links.silent.map(({ host, network }) => `${host} ${network}`);

async function pair(): Promise<{ h1: Peer; h2: Peer; cable: Relay }> {
  const h1 = await start('h1', 1);
  const h2 = await start('h2', 2);
  const { view, cable } = await through(viewOf(h2), 'migration');
  h1.links.setPeers([viewOf(h1), view]);
  h2.links.setPeers([viewOf(h1), viewOf(h2)]);
  await eventually('owners are known', () => h1.owners.length > 0 && h2.owners.length > 0);
  return { h1, h2, cable };
}

describe('peers', () => {
  it('hear each other on every network, for longer than their silence would last', async () => {
    const { h1, h2 } = await pair();
    await pause(timing.peerMeetMs + 2 * timing.peerSilenceMsMax);
    expect([...h1.fellSilent, ...h2.fellSilent]).toEqual([]);
    expect(h1.links.silenceMs('h2', 'migration')).toBeNull();
  });

  it('announce owners of addresses on the guest network alone', async () => {
    const { h1, h2 } = await pair();
    await pause(200);
    expect(h1.owners.map(({ host }) => host)).toEqual(['h2']);
    expect(h2.owners.map(({ host }) => host)).toEqual(['h1']);
  });

  it.each([
    ['both ways', ['there', 'back']],
    ['in one direction', ['there']],
    ['in the other direction', ['back']],
  ] as const)(
    'that lose each other %s on one network know it, there alone, and find each other again',
    async (_, cut) => {
      const { h1, h2, cable } = await pair();
      cable.cut(...cut);
      await eventually(
        'somebody does not hear somebody',
        () => silentOf(h1).length + silentOf(h2).length > 0,
      );
      // Whoever hears nothing gives the connection up: so the other one knows soon as well.
      await eventually(
        'both know',
        () => silentOf(h1).length > 0 && silentOf(h2).length > 0,
        5 * timing.peerSilenceMsMax,
      );
      await pause(timing.peerSilenceMsMax);
      expect([silentOf(h1), silentOf(h2)]).toEqual([['h2 migration'], ['h1 migration']]);
      expect(h1.links.silenceMs('h2', 'migration')).toBeGreaterThan(timing.peerSilenceMsMax);
      expect(h1.links.silenceMs('h2', 'guest-a')).toBeNull();
      cable.heal();
      await eventually('both hear again', () => silentOf(h1).length + silentOf(h2).length === 0);
      await pause(2 * timing.peerSilenceMsMax);
      expect([h1.fellSilent, h2.fellSilent]).toEqual([['h2 migration'], ['h1 migration']]);
    },
  );

  it('that were never there are silent after a while', async () => {
    const h1 = await start('h1', 1);
    const peerPorts = { migration: 9, 'guest-a': 9 };
    h1.links.setPeers([
      {
        host: 'h2',
        addresses: { migration: '127.0.42.2', 'guest-a': '127.0.46.2' },
        peerPorts,
        vxlanPort: null,
      },
    ]);
    await eventually('it is missed', () => h1.links.silent.length === networks.length);
    h1.links.setPeers([]);
    await eventually('it is forgotten', () => h1.links.silent.length === 0);
  });

  it('meet on a network that one of them is connected to later, and miss nobody on one that it left', async () => {
    const { h1, h2 } = await pair();
    const all = h2.addresses;
    h2.addresses = { 'guest-a': '127.0.46.2' };
    await h2.links.move('migration');
    expect(h2.links.ports.migration).toBeUndefined();
    await eventually('h1 misses it', () => silentOf(h1).includes('h2 migration'));
    expect(silentOf(h2)).toEqual([]);
    h2.addresses = all;
    await h2.links.move('migration');
    h1.links.setPeers([viewOf(h2)]);
    await eventually('h1 hears it again', () => silentOf(h1).length === 0);
  });

  it('refuse whoever does not hold the token, and whoever is no agent', async () => {
    const h1 = await start('h1', 1);
    const attempt = (role: string, secret: Uint8Array) =>
      dial({
        host: '127.0.42.1',
        port: h1.links.ports.migration ?? 0,
        protocol: agentAgentProtocol,
        own: { role, name: 'h2', bootId: '2'.repeat(32) },
        authentication: { kind: 'token', token: secret },
        handlers: { requests: {}, notices: { 'owners.announce': () => {}, 'peer.alive': () => {} } },
      });
    await expect(attempt('agent', new Uint8Array(32))).rejects.toThrow();
    await expect(attempt('client', token)).rejects.toThrow();
  });
});
