/**
 * What strangers on the containers' networks can do: reach the listeners of their network, and be refused by each. The
 * listeners are found through the kernel, in every container's network namespace.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeVxlan } from '@skein/network';
import { type NetworkKind, networkKinds, type VmView } from '@skein/shared';
import { GenericContainer, type StartedTestContainer } from 'testcontainers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Console } from '../support/cluster.ts';
import { eventually } from '../support/eventually.ts';
import { type ListeningSocket, lastingSockets, printTables, socketsIn } from '../support/listeners.ts';
import {
  downCluster,
  helperLabel,
  hosts,
  inside,
  project,
  settings,
  upCluster,
  vms,
} from './compose-cluster.ts';
import type { Knock, Order } from './stranger.program.ts';

const programs = ['coordinator', 'storage', 'h1', 'h2', 'h3'];
const strangerProgram = readFileSync(join(import.meta.dirname, 'stranger.program.ts'), 'utf8');
const strangers = new Map<NetworkKind, StartedTestContainer>();
const listeners: (ListeningSocket & { readonly program: string })[] = [];
const folder = mkdtempSync(join(tmpdir(), 'skein-strangers-'));

beforeAll(async () => {
  await upCluster();
  for (const program of programs) {
    const lasting = await lastingSockets(async () =>
      socketsIn(await inside(program, 'sh', '-c', printTables)),
    );
    listeners.push(...lasting.map((socket) => ({ ...socket, program })));
  }
  for (const network of networkKinds) {
    const stranger = await new GenericContainer(process.env.SKEIN_BASE_IMAGE ?? 'node:24-bookworm-slim')
      .withNetworkMode(`${project}_${network}`)
      .withLabels({ [helperLabel]: project })
      .withCommand(['sleep', 'infinity'])
      .withCopyContentToContainer([{ content: strangerProgram, target: '/tmp/stranger.mts' }])
      .start();
    strangers.set(network, stranger);
  }
}, 900_000);
afterAll(async () => {
  await downCluster();
  rmSync(folder, { recursive: true });
}, 120_000);

/** Docker's resolver, in each container's own loopback: nobody else's to reach. */
const isResolver = ({ address }: ListeningSocket): boolean => address === '127.0.0.11';
const own = (): typeof listeners => listeners.filter((listener) => !isResolver(listener));

async function stranger(network: NetworkKind, order: Partial<Order>): Promise<Knock[]> {
  const whole: Order = { listeners: [], datagrams: [], ...order };
  const container = strangers.get(network);
  const ran = await container?.exec(['node', '/tmp/stranger.mts', JSON.stringify(whole)]);
  if (ran?.exitCode !== 0) throw new Error(`the stranger on ${network}: ${ran?.output}`);
  return JSON.parse(ran.output.trim().split('\n').at(-1) ?? '') as Knock[];
}

/** `10.91.4.2` lies in the fourth network. */
const networkOf = (address: string): NetworkKind | undefined =>
  networkKinds[Number(address.split('.')[2]) - 1];

describe('the containers of a cluster', () => {
  it('listen on their own addresses of the networks, on none of everybody’s, and not in IPv6', () => {
    expect(own().length).toBeGreaterThan(programs.length);
    for (const { address, program } of own())
      expect(networkOf(address), `${program} listens on ${address}`).toBeDefined();
    const udp = own().filter(({ protocol }) => protocol === 'udp');
    // VXLAN, of each host, and nothing else.
    expect(udp.map(({ program, port }) => `${program} ${port}`).sort()).toEqual([
      'h1 4789',
      'h2 4789',
      'h3 4789',
    ]);
    expect(new Set(udp.map(({ address }) => networkOf(address)))).toEqual(new Set(['guest-a']));
  });
});

describe('a stranger', () => {
  it.each(networkKinds)(
    'on %s reaches only what listens there, and is refused by all of it',
    async (network) => {
      const tcp = own().filter(({ protocol }) => protocol === 'tcp');
      const knocks = await stranger(network, {
        listeners: tcp.map(({ address, port }) => ({ address, port })),
      });
      const reached = knocks.filter(({ outcome }) => outcome !== 'unreachable');
      const placesOf = (all: readonly { address: string; port: number }[]): Set<string> =>
        new Set(all.map(({ address, port }) => `${address}:${port}`));
      // It was there: what follows is a refusal, and no absence.
      expect(placesOf(reached)).toEqual(
        placesOf(tcp.filter(({ address }) => networkOf(address) === network)),
      );
      for (const { address, port, way, outcome, detail } of reached) {
        const where = `${way} at ${address}:${port}: ${outcome} ${detail}`;
        expect(['refused', 'closed', 'upgraded then closed'], where).toContain(outcome);
        // A WebSocket of ours says why, in a stable code.
        if (outcome === 'upgraded then closed') expect(detail, where).toMatch(/^1008 link\.[a-z-]+$/);
      }
    },
  );

  it('sends frames into the tunnels, of which no guest receives one', async () => {
    const [guest, neighbour] = await eventually('two guests run on two hosts', async () => {
      const all = await vms();
      const [web1, web2] = ['web1', 'web2'].map((wanted) => all.find(({ name }) => name === wanted));
      if (web1?.host == null || web2?.host == null || web1.host === web2.host) return false;
      return web1.readyMs !== null && web2.readyMs !== null && ([web1, web2] as const);
    });
    // Like a frame of web2, whose address no other host may use (design: safety, rule 4).
    const frame = datagramFrame(macOf(guest), macOf(neighbour));
    const hex = Buffer.from(encodeVxlan(77, frame)).toString('hex');
    const tunnels = own().filter(({ protocol }) => protocol === 'udp');
    const console = await consoleOf('web1');
    const before = await unwantedDatagrams(console);
    // The same frame from where web2 is gets through: it is one that a guest would count.
    const itsTunnel = tunnels.find(({ program }) => program === guest.host);
    const sent = [hex, itsTunnel?.address ?? '', String(itsTunnel?.port)];
    await inside(neighbour.host ?? '', 'node', '-e', sendOnce, ...sent);
    await eventually('web2’s host was heard', async () => (await unwantedDatagrams(console)) === before + 1);
    const datagrams = tunnels.flatMap(({ address, port }) =>
      Array.from({ length: 200 }, () => ({ address, port, hex })),
    );
    for (const network of networkKinds) await stranger(network, { datagrams });
    expect(await unwantedDatagrams(console)).toBe(before + 1);
    expect((await hosts()).map(({ state }) => state)).toEqual(['connected', 'connected', 'connected']);
  });
});

const sendOnce = `
  const socket = require('node:dgram').createSocket('udp4');
  const [hex, address, port] = process.argv.slice(1);
  socket.send(Buffer.from(hex, 'hex'), Number(port), address, () => socket.close());
`;

async function consoleOf(vm: string): Promise<Console> {
  const tokenFile = join(folder, 'api.token');
  writeFileSync(tokenFile, await inside('coordinator', 'cat', '/var/lib/skein/api.token'), { mode: 0o600 });
  return await Console.attach(vm, '127.0.0.1', Number(settings.SKEIN_CONSOLE_PORT), tokenFile);
}

/** Datagrams to a port where nobody listens, as the guest's own kernel counts. Source: proc(5), /proc/net/snmp. */
async function unwantedDatagrams(console: Console): Promise<number> {
  const from = console.text.length;
  console.type('grep ^Udp: /proc/net/snmp; echo counted\n');
  await console.until(/^counted/m, 15_000, from);
  const [names = '', values = ''] = [...console.text.slice(from).matchAll(/^Udp: (.*?)\r?$/gm)].map(
    ([, columns]) => columns ?? '',
  );
  return Number(values.split(' ')[names.split(' ').indexOf('NoPorts')]);
}

const macOf = ({ spec }: VmView): string => spec.machine.nics[0]?.mac ?? '';

/** Ethernet, IPv4 and UDP to port 9 of 10.77.0.11. Source: RFC 791, RFC 768. */
function datagramFrame(to: string, from: string): Uint8Array {
  const ethernet = Buffer.from(`${to}${from}0800`.replaceAll(':', ''), 'hex');
  const payload = Buffer.from('stranger');
  const udp = Buffer.alloc(8);
  udp.writeUInt16BE(4000, 0);
  udp.writeUInt16BE(9, 2);
  udp.writeUInt16BE(8 + payload.length, 4); // Without a checksum: zero means none.
  const ip = Buffer.from('450000000000400040110000', 'hex');
  const addresses = Buffer.from([10, 77, 0, 99, 10, 77, 0, 11]);
  ip.writeUInt16BE(20 + udp.length + payload.length, 2);
  const header = Buffer.concat([ip, addresses]);
  header.writeUInt16BE(headerChecksum(header), 10);
  return Buffer.concat([ethernet, header, udp, payload]);
}

function headerChecksum(header: Buffer): number {
  let sum = 0;
  for (let at = 0; at < header.length; at += 2) sum += header.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
