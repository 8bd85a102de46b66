import { randomBytes } from 'node:crypto';
import { createServer } from 'node:net';
import { OperationError, protocolVersions } from '@skein/shared';
import { describe, expect, it } from 'vitest';
import type { Authentication } from './authentication.ts';
import { dialing, Heard, handlersOf, own, protocol, serve, stranger, token } from './link.fixture.ts';
import { listen } from './listener.ts';
import { encodeControl } from './wire.ts';

const settings = {
  host: '127.0.0.1',
  port: 0,
  protocol,
  own: own('server', 'one'),
  authentication: token,
  handlers: handlersOf(new Heard()),
};

describe('a listener', () => {
  it('refuses a peer with another token, on both sides', async () => {
    const { listener, heard } = await serve();
    const authentication: Authentication = { kind: 'token', token: new Uint8Array(randomBytes(32)) };
    const refused = dialing(listener.port, { authentication });
    await expect(refused).rejects.toMatchObject({ code: 'link.unauthenticated' });
    await heard.rejection();
    expect(listener.links.size).toBe(0);
    expect(heard.hints).toEqual([]);
  });

  it('refuses a peer that proves nothing', async () => {
    const { listener, heard } = await serve();
    const socket = await stranger(listener.port);
    const versions = { ...protocolVersions };
    const nonce = new Uint8Array(32);
    socket.send(encodeControl({ type: 'hello', protocol: 'test', versions, ...own('client', 'two'), nonce }));
    socket.send(encodeControl({ type: 'proof', proof: new Uint8Array(32) }));
    expect((await heard.rejection()).code).toBe('link.unauthenticated');
  });

  it('refuses another protocol version and says so', async () => {
    const { listener, heard } = await serve();
    const socket = await stranger(listener.port);
    const versions = { min: protocolVersions.max + 1, max: protocolVersions.max + 3 };
    const nonce = new Uint8Array(32);
    const reason = new Promise<string>((resolve) =>
      socket.once('close', (_, text) => resolve(text.toString())),
    );
    socket.send(encodeControl({ type: 'hello', protocol: 'test', versions, ...own('client', 'two'), nonce }));
    expect((await heard.rejection()).code).toBe('link.protocol-version');
    expect(await reason).toBe('link.protocol-version');
  });

  it('refuses whom its owner refuses; the dialer learns the code', async () => {
    const { listener, heard } = await serve({
      admit: ({ name }) => {
        throw new OperationError({ code: 'name.taken', message: `${name} is there already` });
      },
    });
    await expect(dialing(listener.port)).rejects.toMatchObject({ code: 'name.taken' });
    expect(await heard.rejection()).toEqual({ code: 'name.taken', message: 'two is there already' });
  });

  it('names the address when it is in use, and when it is not of this machine', async () => {
    const { listener } = await serve();
    await expect(listen({ ...settings, port: listener.port })).rejects.toMatchObject({
      code: 'address.in-use',
      details: { address: '127.0.0.1', port: listener.port },
    });
    const elsewhere = listen({ ...settings, host: '203.0.113.1' });
    await expect(elsewhere).rejects.toMatchObject({ code: 'address.unavailable' });
  });

  it.each(['0.0.0.0', '10.0.0.1', '127.example', '::'])('needs a token on %s', async (host) => {
    const open = listen({ ...settings, host, authentication: { kind: 'none' } });
    await expect(open).rejects.toMatchObject({ code: 'config.invalid' });
  });

  it('serves without a token on loopback, to those who bring none', async () => {
    const { listener, heard } = await serve({ authentication: { kind: 'none' } });
    const link = await dialing(listener.port, { authentication: { kind: 'none' } });
    link.close();
    await expect(dialing(listener.port)).rejects.toMatchObject({ code: 'link.unauthenticated' });
    await heard.rejection();
  });

  it('ends its links when it closes', async () => {
    const { listener } = await serve();
    const link = await dialing(listener.port);
    await listener.close();
    expect((await link.closed).code).toBe('link.closed');
    await expect(dialing(listener.port)).rejects.toMatchObject({ code: 'link.refused' });
  });
});

describe('dialing', () => {
  it('leaves from the address it was given', async () => {
    const addresses: (string | undefined)[] = [];
    const server = createServer((socket) => {
      addresses.push(socket.remoteAddress);
      socket.destroy();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    await expect(dialing(port, { localAddress: '127.9.8.7' })).rejects.toMatchObject({
      code: 'link.refused',
    });
    expect(addresses).toEqual(['127.9.8.7']);
    server.close();
  });

  it('names its own address if this machine has it not', async () => {
    const { listener } = await serve();
    const refused = dialing(listener.port, { localAddress: '203.0.113.9' });
    await expect(refused).rejects.toMatchObject({
      code: 'address.unavailable',
      details: { address: '203.0.113.9' },
    });
  });

  it('gives up at its deadline, however slowly the other end answers', async () => {
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.write('HTTP/1.1 101 Switching Protocols\r\n');
      const dribble = setInterval(() => socket.write('x-slow: yes\r\n'), 10);
      socket.once('close', () => clearInterval(dribble));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    await expect(dialing(port, { deadlineMs: 150 })).rejects.toMatchObject({ code: 'link.timeout' });
    await new Promise((resolve) => server.close(resolve));
  });
});
