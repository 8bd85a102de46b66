import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { WebSocket } from 'ws';
import { greetAsDialer } from './handshake.ts';
import { dialing, own, protocol, serve, stranger, token } from './link.fixture.ts';
import { SocketMessages } from './socket-messages.ts';
import { bulkKind, encodeControl } from './wire.ts';

const deadlineMs = 5000;

const openSockets: { destroy(): void }[] = [];
afterEach(() => {
  for (const socket of openSockets.splice(0)) socket.destroy();
});

function rawConnection(port: number): Socket {
  const socket = connect(port, '127.0.0.1');
  openSockets.push(socket);
  socket.on('error', () => {});
  return socket;
}

/** A peer that holds the token and then says what it likes. */
async function trusted(port: number): Promise<WebSocket> {
  const socket = await stranger(port);
  const messages = new SocketMessages(socket);
  await greetAsDialer(socket, messages, {
    protocol,
    own: own('client', 'evil'),
    authentication: token,
    certified: null,
  });
  messages.release();
  return socket;
}

describe('a listener among strangers', () => {
  it.each([
    ['garbage', (): Uint8Array => new Uint8Array(randomBytes(300)).fill(0xc1, 0, 1)],
    ['half a MessagePack', () => encodeControl({ type: 'hello', protocol: 'test' }).subarray(0, 9)],
    ['nothing at all', () => new Uint8Array(0)],
    ['bulk', () => new Uint8Array([bulkKind, 0])],
    [
      'a request before it has proven itself',
      () => encodeControl({ type: 'request', id: 1, name: 'double' }),
    ],
    ['an array of 33 million elements in five bytes', () => new Uint8Array([1, 0xdd, 1, 255, 255, 255])],
  ])('cuts off one that sends %s', async (_, bytes) => {
    const { listener, heard } = await serve();
    const socket = await stranger(listener.port);
    socket.send(bytes());
    expect((await heard.rejection()).code).toBe('link.bad-message');
  });

  it('cuts off one that sends text', async () => {
    const { listener, heard } = await serve();
    const socket = await stranger(listener.port);
    socket.send('\u0001hello');
    expect((await heard.rejection()).code).toBe('link.bad-message');
  });

  it('cuts off one that sends more than a handshake, before it is read as a message', async () => {
    const { listener, heard } = await serve({ maxPayloadBytes: 64 << 20 });
    const socket = await stranger(listener.port);
    socket.send(new Uint8Array(8 << 20));
    expect((await heard.rejection()).code).toBe('link.too-large');
  });

  it('cuts off those that stay silent, within the deadline of the handshake', async () => {
    const { listener, heard } = await serve();
    const ends = [rawConnection(listener.port), rawConnection(listener.port)].map(
      (socket) => new Promise((resolve) => socket.resume().once('close', resolve)),
    );
    await stranger(listener.port);
    expect((await heard.rejection()).code).toBe('link.timeout');
    await Promise.all(ends);
  });

  it('closes a connection that never speaks HTTP, and serves the next one', async () => {
    const { listener } = await serve();
    const socket = rawConnection(listener.port).resume();
    socket.write('\x00\xff no HTTP \r\n\r\n');
    await new Promise((resolve) => socket.once('close', resolve));
    const link = await dialing(listener.port);
    expect(link.isOpen).toBe(true);
    link.close();
  });
});

describe('a link with a peer that breaks the protocol', () => {
  it.each([
    [
      'a message that fails its schema',
      'link.bad-message',
      { type: 'notice', name: 'hint', body: { text: 7 } },
    ],
    ['an unknown key', 'link.bad-message', { type: 'notice', name: 'hint', body: { text: '', more: 1 } }],
    ['an unknown notice', 'link.bad-message', { type: 'notice', name: 'toString', body: {} }],
    ['an unknown request', 'link.bad-message', { type: 'request', id: 1, name: '__proto__', body: {} }],
    ['an error with an unknown code', 'link.bad-message', { type: 'problem', id: 1, problem: { code: 'x' } }],
    ['no known type', 'link.bad-message', { type: 'hello' }],
    ['a message over the limit', 'link.too-large', { type: 'notice', body: 'x'.repeat(100_000) }],
  ])('ends with a stable code: %s', async (_, code, message) => {
    const { listener, links } = await serve();
    const good = await dialing(listener.port);
    const socket = await trusted(listener.port);
    socket.send(encodeControl(message));
    expect((await links[1]?.closed)?.code).toBe(code);
    expect(await good.request('double', { value: 2 }, { deadlineMs })).toEqual({ value: 4 });
    expect(listener.links.size).toBe(1);
    good.close();
  });

  it('tells the peer why', async () => {
    const { listener } = await serve();
    const link = await dialing(listener.port);
    // @ts-expect-error the compiler refuses it, so does the peer
    link.notify('hint', { text: 7 });
    expect((await link.closed).message).toContain('link.bad-message');
  });

  it('ends when more requests are in flight than it bears', async () => {
    const { listener, links } = await serve({ requestsInFlightMax: 10 });
    const socket = await trusted(listener.port);
    for (let id = 1; id <= 11; id++)
      socket.send(encodeControl({ type: 'request', id, name: 'never', body: {} }));
    expect((await links[0]?.closed)?.code).toBe('link.overflow');
  });

  it.each(['notices', 'bulk'] as const)('ends when it never reads: %s', async (what) => {
    const unsentBytesMax = 1 << 20;
    const { listener, links } = await serve({ unsentBytesMax });
    const socket = await trusted(listener.port);
    socket.pause();
    const [link] = links;
    const bytes = new Uint8Array(60_000).fill(bulkKind);
    let unsentMost = 0;
    while (link?.isOpen) {
      if (what === 'bulk') link.sendBulk(bytes);
      else link.notify('fill', { bytes });
      unsentMost = Math.max(unsentMost, link.unsentBytes);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect((await link?.closed)?.code).toBe('link.overflow');
    expect(unsentMost).toBeLessThan(unsentBytesMax + 2 * bytes.length);
  });
});
