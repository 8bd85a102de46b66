/** A small protocol and both its ends, for the tests of links and listeners. */
import { randomBytes } from 'node:crypto';
import { Bytes, type ProtocolDefinition } from '@skein/shared';
import { afterEach } from 'vitest';
import { WebSocket } from 'ws';
import { z } from 'zod';
import type { Authentication } from './authentication.ts';
import { type DialOptions, dial } from './dial.ts';
import type { Identity } from './handshake.ts';
import type { CloseReason, Handlers, Link } from './link.ts';
import { type Listener, type ListenOptions, listen } from './listener.ts';

export const protocol = {
  name: 'test',
  roles: { dialer: ['client'], listener: ['server'] },
  fromDialer: {
    requests: {
      double: { request: z.strictObject({ value: z.int() }), reply: z.strictObject({ value: z.int() }) },
      fails: { request: z.strictObject({ how: z.string() }), reply: z.strictObject({}) },
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
    notices: { fill: z.strictObject({ bytes: Bytes }) },
  },
} as const satisfies ProtocolDefinition;

type TestProtocol = typeof protocol;

export const own = (role: string, name: string): Identity => ({
  role,
  name,
  bootId: randomBytes(16).toString('hex'),
});
export const token: Authentication = { kind: 'token', token: new Uint8Array(randomBytes(32)) };

let opened: Listener<TestProtocol>[] = [];
afterEach(async () => {
  await Promise.all(opened.map((listener) => listener.close()));
  opened = [];
});

export class Heard {
  readonly hints: string[] = [];
  readonly bulk: Uint8Array[] = [];
  readonly rejected: CloseReason[] = [];
  readonly #wakers: (() => void)[] = [];

  reject(reason: CloseReason): void {
    this.rejected.push(reason);
    for (const wake of this.#wakers.splice(0)) wake();
  }

  /** The first rejection, past or to come. */
  async rejection(): Promise<CloseReason> {
    while (this.rejected[0] === undefined) await new Promise<void>((resolve) => this.#wakers.push(resolve));
    return this.rejected[0];
  }
}

export function handlersOf(heard: Heard): Handlers<TestProtocol, 'listener'> {
  return {
    requests: {
      double: ({ value }) => ({ value: value * 2 }),
      never: () => new Promise<Record<string, never>>(() => {}),
      fails: ({ how }) => {
        throw failures[how] ?? new Error(how);
      },
      echo: (body) => body,
    },
    notices: { hint: ({ text }) => void heard.hints.push(text) },
  };
}

export const failures: Record<string, Error> = {};

export async function serve(more: Partial<ListenOptions<TestProtocol>> = {}) {
  const heard = new Heard();
  const links: Link<TestProtocol, 'listener'>[] = [];
  const listener = await listen({
    host: '127.0.0.1',
    port: 0,
    protocol,
    own: own('server', 'one'),
    authentication: token,
    maxPayloadBytes: 64 << 10,
    handlers: handlersOf(heard),
    onLink: (link) => {
      links.push(link);
      link.onBulk = (frame) => void heard.bulk.push(frame);
    },
    onRejected: (reason) => heard.reject(reason),
    ...more,
  });
  opened.push(listener);
  return { listener, heard, links };
}

export function dialing(port: number, more: Partial<DialOptions<TestProtocol>> = {}) {
  return dial({
    host: '127.0.0.1',
    port,
    protocol,
    own: own('client', 'two'),
    authentication: token,
    handlers: { requests: { ask: () => ({ name: 'two' }) }, notices: { fill: () => {} } },
    ...more,
  });
}

/** A WebSocket that speaks nothing of ours yet. */
export async function stranger(port: number): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
  socket.on('error', () => {});
  await new Promise((resolve) => socket.once('open', resolve));
  return socket;
}
