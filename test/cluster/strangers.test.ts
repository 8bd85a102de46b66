/** What strangers on its networks can do to a cluster: nothing. Every listener, found through the kernel, is tried. */
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  agentAgentProtocol,
  agentCoordinatorProtocol,
  clientProtocol,
  type ProtocolDefinition,
  storageProtocol,
} from '@skein/shared';
import { dial } from '@skein/transport';
import { CertificateAuthority } from '@skein/transport/authority';
import { joinWithToken, parseJoinToken, writeCredentials } from '@skein/transport/certificates';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cluster, Console } from '../support/cluster.ts';
import { type ListeningSocket, lastingSockets, listeningSockets } from '../support/listeners.ts';

const folder = mkdtempSync(join(tmpdir(), 'skein-strangers-'));
let cluster: Cluster;
let web1: Console;
let tcp: ListeningSocket[];
let udp: ListeningSocket[];

beforeAll(async () => {
  cluster = await Cluster.start(2);
  web1 = await cluster.boot('web1', 'h1', '10.77.0.11');
  const all = await lastingSockets(() => cluster.processes.flatMap(({ pid }) => listeningSockets(pid)));
  tcp = all.filter(({ protocol }) => protocol === 'tcp');
  udp = all.filter(({ protocol }) => protocol === 'udp');
});
afterAll(async () => {
  await cluster.close();
  rmSync(folder, { recursive: true, force: true });
});

const silenceMsMax = 10_000;

/** Sends bytes and resolves with what came back when the other side closed the connection. */
function speak({ address, port }: ListeningSocket, bytes: Uint8Array): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const heard: Buffer[] = [];
    const socket = connect(port, address, () => socket.write(bytes));
    socket.setTimeout(silenceMsMax, () =>
      reject(new Error(`${address}:${port} keeps a stranger's connection`)),
    );
    socket.on('data', (chunk) => heard.push(chunk));
    socket.on('error', () => resolve(Buffer.concat(heard)));
    socket.on('close', () => resolve(Buffer.concat(heard)));
  });
}

const protocols: readonly ProtocolDefinition[] = [
  agentCoordinatorProtocol,
  agentAgentProtocol,
  clientProtocol,
  storageProtocol,
];

describe('strangers', () => {
  it('find listeners on loopback networks only, one UDP port a host', () => {
    for (const { address } of [...tcp, ...udp]) expect(address).toMatch(/^127\./);
    // The coordinator's four; the storage service's for leases and metrics; an agent's for its peers, on each of two
    // networks, and metrics.
    expect(tcp).toHaveLength(4 + 2 + 2 * 3);
    expect(udp).toHaveLength(2);
  });

  it.each([
    ['random bytes', () => randomBytes(4096)],
    ['a request line without end', () => Buffer.from(`GET /${'a'.repeat(200_000)}`)],
    ['half a request', () => Buffer.from('GET / HTTP/1.1\r\nhost: x\r\n')],
    [
      'a WebSocket that says nothing',
      () =>
        Buffer.from(
          'GET / HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n' +
            'sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
        ),
    ],
  ])('are cut off everywhere when they send %s', async (_, bytes) => {
    await Promise.all(tcp.map((listener) => speak(listener, bytes())));
    await web1.expectAlive();
  });

  it('with a token of their own are refused by every listener and every protocol', async () => {
    const token = new Uint8Array(randomBytes(32));
    for (const { address, port } of tcp) {
      for (const protocol of protocols) {
        for (const role of ['agent', 'coordinator', 'transfer', 'client']) {
          const attempt = dial({
            host: address,
            port,
            protocol,
            own: { role, name: 'h1', bootId: randomBytes(16).toString('hex') },
            authentication: { kind: 'token', token },
            handlers: { requests: {}, notices: {} } as never,
          });
          await expect(attempt, `${address}:${port} ${protocol.name} ${role}`).rejects.toThrow();
        }
      }
    }
    await web1.expectAlive();
  });

  it('with certificates of a cluster of their own are refused by every listener and every protocol', async () => {
    const elsewhere = await CertificateAuthority.open(join(folder, 'authority'), 'elsewhere', Date.now());
    const validity = { nowMs: Date.now(), lifeMs: 3_600_000 };
    for (const { kind, name, roles } of [
      { kind: 'agent', name: 'h1', roles: ['agent', 'agent-heartbeat', 'transfer'] },
      { kind: 'coordinator', name: 'coordinator', roles: ['coordinator'] },
      { kind: 'storage', name: 'storage', roles: ['storage'] },
    ] as const) {
      const directory = join(folder, kind);
      await writeCredentials(directory, await elsewhere.ownCredentials({ kind, name }, validity));
      for (const { address, port } of tcp) {
        for (const protocol of protocols) {
          for (const role of roles) {
            const attempt = dial({
              host: address,
              port,
              protocol,
              own: { role, name, bootId: randomBytes(16).toString('hex') },
              authentication: { kind: 'certificate', directory },
              handlers: { requests: {}, notices: {} } as never,
            });
            await expect(attempt, `${address}:${port} ${protocol.name} ${role}`).rejects.toThrow();
          }
        }
      }
    }
    await web1.expectAlive();
  });

  it('find TLS wherever the cluster’s programs talk to each other', async () => {
    const plain = await Promise.all(
      tcp.map(async (listener) => {
        const answer = await speak(listener, Buffer.from('GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n'));
        return answer.toString('latin1').startsWith('HTTP/1.1') ? listener.port : null;
      }),
    );
    // In the clear, and for people's programs: the API, consoles, and metrics.
    expect(new Set(plain.filter((port) => port !== null))).toEqual(new Set([7100, 7102, 7130]));
  });

  it('do not join: tokens are checked, and no secret is in any log', async () => {
    const { coordinator } = JSON.parse(readFileSync(cluster.process('h1').configFile, 'utf8')) as {
      coordinator: { address: string; joinPort: number };
    };
    const at = { address: coordinator.address, port: coordinator.joinPort };
    const text = readFileSync(join(cluster.folder, 'join-agent.token'), 'utf8').trim();
    const token = parseJoinToken(text);
    const guessed = { ...token, secret: randomBytes(32).toString('base64url') };
    await expect(joinWithToken(at, guessed, { kind: 'agent', name: 'h9' })).rejects.toMatchObject({
      code: 'join.refused',
    });
    // Even the right one does not push a host aside that lives.
    await expect(joinWithToken(at, token, { kind: 'agent', name: 'h1' })).rejects.toMatchObject({
      code: 'name.taken',
    });
    for (const { name } of cluster.processes) {
      for (const secret of [token.secret, guessed.secret, 'PRIVATE KEY']) {
        expect(cluster.log(name)).not.toContain(secret);
      }
    }
    expect(cluster.log('coordinator')).toContain('"code":"join.refused"');
  });

  it('get no answer from the API without its token, nor with a wrong one', async () => {
    for (const path of [
      '/v1/vms',
      '/v1/hosts',
      '/v1/cluster',
      '/v1/events',
      '/v1/operations',
      '/openapi.json',
      '/metrics',
      '/v1/scrape-targets',
    ]) {
      const bare = await fetch(`${cluster.url}${path}`);
      expect(bare.status, path).toBe(401);
      const wrong = await fetch(`${cluster.url}${path}`, {
        headers: { authorization: `Bearer ${'0'.repeat(64)}` },
      });
      expect(wrong.status, path).toBe(401);
    }
  });

  it('read no metrics anywhere without the metrics token, and nothing else with it', async () => {
    const listeners = tcp.filter(({ port }) => port === 7130);
    expect(listeners).toHaveLength(1 + 2);
    const right = readFileSync(`${cluster.folder}/metrics.token`, 'utf8').trim();
    const wrong = [
      '',
      `Bearer ${'0'.repeat(64)}`,
      `Bearer ${readFileSync(cluster.tokenFile, 'utf8').trim()}`,
    ];
    for (const { address, port } of listeners) {
      for (const authorization of wrong) {
        const response = await fetch(`http://${address}:${port}/metrics`, { headers: { authorization } });
        expect(response.status).toBe(401);
      }
    }
    const authorization = `Bearer ${right}`;
    for (const path of ['/v1/vms', '/v1/hosts', '/v1/cluster', '/v1/events', '/openapi.json', '/nothing']) {
      expect((await fetch(`${cluster.url}${path}`, { headers: { authorization } })).status, path).toBe(403);
    }
    const change = { method: 'POST', headers: { authorization } };
    expect((await fetch(`${cluster.url}/v1/vms/web1/stop`, change)).status).toBe(403);
    const attempt = Console.attach(
      'web1',
      new URL(cluster.url).hostname,
      7102,
      `${cluster.folder}/metrics.token`,
    );
    await expect(attempt).rejects.toMatchObject({ code: 'link.unauthenticated' });
  });

  it('reach no guest by frames from outside the cluster', async () => {
    const frame = Buffer.concat([Buffer.from('080000000004d000', 'hex'), randomBytes(64)]);
    const socket = createSocket('udp4');
    for (const { address, port } of udp) {
      for (let index = 0; index < 200; index++) {
        const datagram = index % 2 === 0 ? randomBytes(1 + (index % 80)) : frame;
        await new Promise((done) => socket.send(datagram, port, address, done));
      }
    }
    socket.close();
    await web1.expectAlive();
    const from = web1.text.length;
    web1.type('cat /proc/net/dev | grep eth0; echo counted\n');
    await web1.until(/^counted/m, 10_000, from);
    // Not one frame was received: nobody in its segment speaks.
    expect(web1.text.slice(from)).toMatch(/eth0:\s+0\s+0\s/);
  });
});
