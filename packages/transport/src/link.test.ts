import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { Bytes, type ProtocolDefinition } from '@skein/shared';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { z } from 'zod';
import type { Authentication } from './authentication.ts';
import { type DialOptions, dial } from './dial.ts';
import type { CloseReason } from './link.ts';
import { type Listener, listen } from './listener.ts';
import { bulkKind, encodeControl } from './wire.ts';

const protocol = {
  name: 'test',
  fromDialer: {
    requests: {
      double: { request: z.strictObject({ value: z.int() }), reply: z.strictObject({ value: z.int() }) },
      never: { request: z.strictObject({}), reply: z.strictObject({}) },
      echo: {
        request: z.strictObject({ big: z.bigint(), bytes: Bytes }),
        reply: z.strictObject({ big: z.bigint(), bytes: Bytes }),
      },
    },
    notices: { hint: z.strictObject({ text: z.string() }) },
  },
  fromListener: {
    requests: { ask: { request: z.strictObject({}), reply: z.strictObject({ name: z.string() }) } },
    notices: {},
  },
} as const satisfies ProtocolDefinition;

const own = (role: string, name: string) => ({ role, name, bootId: randomBytes(16).toString('hex') });
const token: Authentication = { kind: 'token', token: new Uint8Array(randomBytes(32)) };

let opened: Listener<typeof protocol>[] = [];
afterEach(async () => {
  await Promise.all(opened.map((listener) => listener.close()));
  opened = [];
});

interface Heard {
  readonly hints: string[];
  readonly bulk: Uint8Array[];
  readonly rejected: CloseReason[];
}

async function serve(heard: Heard = { hints: [], bulk: [], rejected: [] }) {
  const rejectedWaiters: (() => void)[] = [];
  const listener = await listen({
    host: '127.0.0.1',
    port: 0,
    protocol,
    own: own('server', 'one'),
    authentication: token,
    maxPayloadBytes: 64 << 10,
    handlers: {
      requests: {
        double: ({ value }) => ({ value: value * 2 }),
        never: () => new Promise<Record<string, never>>(() => {}),
        echo: (body) => body,
      },
      notices: { hint: ({ text }) => void heard.hints.push(text) },
    },
    onLink: (link) => {
      link.onBulk = (frame) => void heard.bulk.push(frame);
    },
    onRejected: (reason) => {
      heard.rejected.push(reason);
      for (const wake of rejectedWaiters.splice(0)) wake();
    },
  });
  opened.push(listener);
  const rejection = () => new Promise<void>((resolve) => rejectedWaiters.push(resolve));
  return { listener, heard, rejection };
}

function dialing(port: number, more: Partial<DialOptions<typeof protocol>> = {}) {
  return dial({
    host: '127.0.0.1',
    port,
    protocol,
    own: own('client', 'two'),
    authentication: token,
    handlers: { requests: { ask: () => ({ name: 'two' }) }, notices: {} },
    ...more,
  });
}

describe('a link', () => {
  it('answers requests in both directions and keeps bigints and bytes', async () => {
    const { listener } = await serve();
    const link = await dialing(listener.port);
    expect(link.peer).toMatchObject({ role: 'server', name: 'one' });
    expect(await link.request('double', { value: 21 }, { deadlineMs: 1000 })).toEqual({ value: 42 });
    const body = { big: 2n ** 62n, bytes: new Uint8Array([1, 2, 255]) };
    const echoed = await link.request('echo', body, { deadlineMs: 1000 });
    expect(echoed.big).toBe(body.big);
    expect([...echoed.bytes]).toEqual([1, 2, 255]);
    const [accepted] = listener.links;
    expect(await accepted?.request('ask', {}, { deadlineMs: 1000 })).toEqual({ name: 'two' });
    link.close();
    expect((await link.closed).code).toBe('closed');
  });

  it('carries bulk and notices in order beside requests', async () => {
    const { listener, heard } = await serve();
    const link = await dialing(listener.port);
    link.notify('hint', { text: 'first' });
    for (let index = 0; index < 50; index++) link.sendBulk(new Uint8Array([bulkKind, index]));
    await link.request('double', { value: 1 }, { deadlineMs: 1000 });
    expect(heard.hints).toEqual(['first']);
    expect(heard.bulk.map((frame) => frame[1])).toEqual(Array.from({ length: 50 }, (_, index) => index));
    link.close();
  });

  it('gives up a request at its deadline, and all of them when the link ends', async () => {
    const { listener } = await serve();
    const link = await dialing(listener.port);
    await expect(link.request('never', {}, { deadlineMs: 20 })).rejects.toMatchObject({
      code: 'link.timeout',
    });
    const pending = link.request('never', {}, { deadlineMs: 60_000 });
    link.close('enough');
    await expect(pending).rejects.toMatchObject({ code: 'link.closed' });
    await expect(link.request('double', { value: 1 }, { deadlineMs: 10 })).rejects.toMatchObject({
      code: 'link.closed',
    });
  });

  it('is closed by a message that fails its schema, and the listener serves the others on', async () => {
    const { listener } = await serve();
    const good = await dialing(listener.port);
    const bad = await dialing(listener.port);
    // @ts-expect-error the compiler refuses it, so does the peer
    bad.notify('hint', { text: 7 });
    expect((await bad.closed).message).toContain('link.bad-message');
    expect(await good.request('double', { value: 2 }, { deadlineMs: 1000 })).toEqual({ value: 4 });
    good.close();
  });

  it('is closed by a message over the limit', async () => {
    const { listener } = await serve();
    const link = await dialing(listener.port);
    link.notify('hint', { text: 'x'.repeat(100_000) });
    expect((await link.closed).code).toBe('link.closed');
    expect(listener.links.size).toBe(0);
  });
});

describe('a listener', () => {
  it('refuses a peer with another token, on both sides', async () => {
    const { listener, heard } = await serve();
    const authentication: Authentication = { kind: 'token', token: new Uint8Array(randomBytes(32)) };
    await expect(dialing(listener.port, { authentication })).rejects.toMatchObject({
      code: 'link.unauthenticated',
    });
    expect(listener.links.size).toBe(0);
    expect(heard.hints).toEqual([]);
  });

  it('refuses a peer that proves nothing', async () => {
    const { listener, heard, rejection } = await serve();
    const rejected = rejection();
    const socket = new WebSocket(`ws://127.0.0.1:${listener.port}/`);
    await new Promise((resolve) => socket.once('open', resolve));
    const versions = { min: 1, max: 1 };
    const hello = {
      type: 'hello',
      protocol: 'test',
      versions,
      ...own('client', 'two'),
      nonce: new Uint8Array(32),
    };
    socket.send(encodeControl(hello));
    socket.send(encodeControl({ type: 'proof', proof: new Uint8Array(32) }));
    await rejected;
    expect(heard.rejected[0]?.code).toBe('link.unauthenticated');
    socket.terminate();
  });

  it('refuses another protocol version and says so', async () => {
    const { listener, heard, rejection } = await serve();
    const rejected = rejection();
    const socket = new WebSocket(`ws://127.0.0.1:${listener.port}/`);
    await new Promise((resolve) => socket.once('open', resolve));
    const hello = { type: 'hello', protocol: 'test', versions: { min: 7, max: 9 }, ...own('client', 'two') };
    socket.send(encodeControl({ ...hello, nonce: new Uint8Array(32) }));
    await rejected;
    expect(heard.rejected[0]?.code).toBe('link.protocol-version');
    socket.terminate();
  });

  it.each([
    ['garbage', (): Uint8Array => new Uint8Array(randomBytes(300))],
    [
      'half a MessagePack',
      (): Uint8Array => encodeControl({ type: 'hello', protocol: 'test' }).subarray(0, 9),
    ],
    ['nothing at all', (): Uint8Array => new Uint8Array(0)],
  ])('cuts off a peer that sends %s', async (_, bytes) => {
    const { listener, heard, rejection } = await serve();
    const rejected = rejection();
    const socket = new WebSocket(`ws://127.0.0.1:${listener.port}/`);
    await new Promise((resolve) => socket.once('open', resolve));
    socket.send(bytes());
    await rejected;
    expect(heard.rejected[0]?.code).toBe('link.bad-message');
    socket.terminate();
  });

  it('cuts off a peer that stays silent, within the deadline of the handshake', async () => {
    const { listener, heard, rejection } = await serve();
    const rejected = rejection();
    const socket = new WebSocket(`ws://127.0.0.1:${listener.port}/`);
    await rejected;
    expect(heard.rejected[0]?.code).toBe('link.timeout');
    socket.terminate();
  });

  it('closes a connection that never speaks HTTP', async () => {
    const { listener } = await serve();
    const socket = connect(listener.port, '127.0.0.1');
    socket.on('error', () => {});
    socket.resume();
    socket.write('\x00\xff no HTTP \r\n\r\n');
    await new Promise((resolve) => socket.once('close', resolve));
    const link = await dialing(listener.port);
    expect(link.isOpen).toBe(true);
    link.close();
  });

  it('names the address when it is in use, and when it is not of this machine', async () => {
    const { listener } = await serve();
    const again = { protocol, own: own('server', 'one'), authentication: token } as const;
    const handlers = {
      requests: {
        double: () => ({ value: 0 }),
        never: () => ({}),
        echo: (body: { big: bigint; bytes: Uint8Array }) => body,
      },
      notices: { hint: () => {} },
    };
    await expect(
      listen({ host: '127.0.0.1', port: listener.port, ...again, handlers }),
    ).rejects.toMatchObject({
      code: 'address.in-use',
    });
    await expect(listen({ host: '203.0.113.1', port: 0, ...again, handlers })).rejects.toMatchObject({
      code: 'address.unavailable',
    });
  });

  it('without a token exists on loopback only', async () => {
    const handlers = {
      requests: {
        double: () => ({ value: 0 }),
        never: () => ({}),
        echo: (body: { big: bigint; bytes: Uint8Array }) => body,
      },
      notices: { hint: () => {} },
    };
    await expect(
      listen({
        host: '0.0.0.0',
        port: 0,
        protocol,
        own: own('server', 'one'),
        authentication: { kind: 'none' },
        handlers,
      }),
    ).rejects.toMatchObject({ code: 'config.invalid' });
  });
});
