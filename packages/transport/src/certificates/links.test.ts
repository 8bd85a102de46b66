/** Links between holders of certificates: real sockets, real TLS. */
import { randomBytes } from 'node:crypto';
import { connect as connectTcp } from 'node:net';
import { connect } from 'node:tls';
import { agentCoordinatorProtocol, type ProtocolDefinition } from '@skein/shared';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Authentication } from '../authentication.ts';
import { dial } from '../dial.ts';
import { type Listener, listen } from '../listener.ts';
import type { CertificateAuthority } from './authority.ts';
import { certify, freshAuthority, memberOf } from './certificates.fixture.ts';
import { readCredentials } from './credentials.ts';

const echo = {
  ...agentCoordinatorProtocol,
  fromDialer: { requests: {}, notices: {} },
  fromListener: { requests: {}, notices: {} },
} as const satisfies ProtocolDefinition;
const handlers = { requests: {}, notices: {} };
const own = (role: string, name: string) => ({ role, name, bootId: randomBytes(16).toString('hex') });

let authority: CertificateAuthority;
let coordinator: Authentication & { readonly kind: 'certificate' };
let h1: Authentication & { readonly kind: 'certificate' };
const rejected: string[] = [];
const listeners: Listener<typeof echo>[] = [];

beforeAll(async () => {
  authority = await freshAuthority();
  coordinator = await memberOf(authority, 'coordinator', 'coordinator');
  h1 = await memberOf(authority, 'agent', 'h1');
});
afterEach(async () => {
  for (const listener of listeners.splice(0)) await listener.close();
  rejected.splice(0);
});

async function serve(authentication: Authentication = coordinator, as = own('coordinator', 'coordinator')) {
  const listener = await listen({
    host: '127.0.0.1',
    port: 0,
    protocol: echo,
    own: as,
    authentication,
    handlers,
    onRejected: ({ code, message }) => void rejected.push(`${code}: ${message}`),
  });
  listeners.push(listener);
  return listener;
}

const dialing = (port: number, authentication: Authentication, as = own('agent', 'h1')) =>
  dial({ host: '127.0.0.1', port, protocol: echo, own: as, authentication, handlers });

describe('a link between holders of certificates', () => {
  it('knows both names, on a connection of TLS 1.3', async () => {
    const { port, links } = await serve();
    const link = await dialing(port, h1);
    expect(link.peer).toMatchObject({ role: 'coordinator', name: 'coordinator' });
    expect([...links][0]?.peer).toMatchObject({ role: 'agent', name: 'h1' });
    const { key, certificate, authority: ca } = readCredentials(h1.directory);
    const protocols = await Promise.allSettled(
      (['TLSv1.3', 'TLSv1.2'] as const).map(
        (version) =>
          new Promise((resolve, reject) => {
            const ends = { host: '127.0.0.1', port, minVersion: version, maxVersion: version } as const;
            const socket = connect({
              ...ends,
              key,
              cert: certificate,
              ca,
              checkServerIdentity: () => undefined,
            });
            socket.once('secureConnect', () => resolve(socket.getProtocol()));
            socket.once('error', reject);
            socket.once('secureConnect', () => socket.destroy());
          }),
      ),
    );
    expect(protocols[0]).toMatchObject({ status: 'fulfilled', value: 'TLSv1.3' });
    expect(protocols[1]?.status).toBe('rejected');
  });

  it('is refused to another cluster’s members, at both ends', async () => {
    const elsewhere = await freshAuthority();
    const { port } = await serve();
    const stranger = await memberOf(elsewhere, 'agent', 'h1');
    await expect(dialing(port, stranger)).rejects.toMatchObject({ code: 'link.unauthenticated' });
    const theirs = await serve(await memberOf(elsewhere, 'coordinator', 'coordinator'));
    await expect(dialing(theirs.port, h1)).rejects.toMatchObject({ code: 'link.unauthenticated' });
  });

  it('is refused to whoever has no certificate, whatever it speaks', async () => {
    const { port, links } = await serve();
    const token: Authentication = { kind: 'token', token: new Uint8Array(32) };
    await expect(dialing(port, token)).rejects.toThrow();
    await expect(dialing(port, { kind: 'none' })).rejects.toThrow();
    const anonymous = new Promise((resolve) => {
      const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false });
      socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code));
      socket.on('end', () => resolve('end'));
      socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
    });
    expect(await anonymous).toMatch(/ALERT_CERTIFICATE_REQUIRED|ECONNRESET/);
    expect(rejected.join('\n')).toContain('link.unauthenticated: no certificate of this cluster');
    expect(links.size).toBe(0);
  });

  it('is cut when the other side stops in the middle of its handshake', async () => {
    const { port } = await serve();
    const silent = connectTcp(port, '127.0.0.1');
    silent.on('error', () => {});
    silent.write(Buffer.from('16030100', 'hex'));
    await new Promise((resolve) => silent.once('close', resolve));
  });

  it.each([
    ['another host’s name', 'agent', 'h2'],
    ['the coordinator’s name', 'agent', 'coordinator'],
    ['a role that is not its own', 'coordinator', 'h1'],
    ['a role that nobody has here', 'guest', 'h1'],
  ])('refuses a member that claims %s', async (_, role, name) => {
    const { port, links } = await serve();
    await expect(dialing(port, h1, own(role, name))).rejects.toMatchObject({ code: 'link.unauthenticated' });
    expect(links.size).toBe(0);
  });

  it('does not take a host for the coordinator, though it listens where that should be', async () => {
    const h2 = await memberOf(authority, 'agent', 'h2');
    for (const as of [own('coordinator', 'coordinator'), own('agent', 'h2')]) {
      const { port } = await serve(h2, as);
      await expect(dialing(port, h1)).rejects.toMatchObject({ code: 'link.unauthenticated' });
    }
  });

  it('is refused when a certificate is over, and made again once it is renewed', async () => {
    const { port } = await serve();
    const h3 = await memberOf(authority, 'agent', 'h3', -1000);
    await expect(dialing(port, h3, own('agent', 'h3'))).rejects.toMatchObject({
      code: 'link.unauthenticated',
    });
    await certify(authority, { kind: 'agent', name: 'h3' }, h3.directory);
    expect((await dialing(port, h3, own('agent', 'h3'))).peer.name).toBe('coordinator');
  });
});
