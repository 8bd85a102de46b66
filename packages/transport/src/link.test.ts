import { OperationError } from '@skein/shared';
import { describe, expect, it } from 'vitest';
import { dialing, failures, own, protocol, serve, stranger } from './link.fixture.ts';
import { Link } from './link.ts';
import { bulkKind, encodeControl } from './wire.ts';

const deadlineMs = 5000;

describe('a link', () => {
  it('answers requests in both directions and keeps bigints and bytes', async () => {
    const { listener } = await serve();
    const link = await dialing(listener.port);
    expect(link.peer).toMatchObject({ role: 'server', name: 'one' });
    expect(await link.request('double', { value: 21 }, { deadlineMs })).toEqual({ value: 42 });
    const body = { big: 2n ** 62n, bytes: new Uint8Array([1, 2, 255]) };
    const echoed = await link.request('echo', body, { deadlineMs });
    expect(echoed.big).toBe(body.big);
    expect([...echoed.bytes]).toEqual([1, 2, 255]);
    const [accepted] = listener.links;
    expect(await accepted?.request('ask', {}, { deadlineMs })).toEqual({ name: 'two' });
    link.close();
    expect((await link.closed).code).toBe('closed');
  });

  it('carries bulk and notices in order beside requests', async () => {
    const { listener, heard } = await serve();
    const link = await dialing(listener.port);
    link.notify('hint', { text: 'first' });
    for (let index = 0; index < 50; index++) link.sendBulk(new Uint8Array([bulkKind, index]));
    await link.request('double', { value: 1 }, { deadlineMs });
    expect(heard.hints).toEqual(['first']);
    expect(heard.bulk.map((frame) => frame[1])).toEqual(Array.from({ length: 50 }, (_, index) => index));
    link.close();
  });

  it('says what came behind the handshake before what comes later, though that is there first', async () => {
    const { listener } = await serve();
    const socket = await stranger(listener.port);
    const received: number[] = [];
    const notice = (index: number): Uint8Array =>
      encodeControl({ type: 'notice', name: 'fill', body: { bytes: new Uint8Array([index]) } });
    const done = new Promise<void>((resolve) => {
      const fill = ({ bytes }: { bytes: Uint8Array }): void => {
        received.push(bytes[0] ?? -1);
        if (received.length === 4) resolve();
      };
      const handlers = { requests: { ask: () => ({ name: 'two' }) }, notices: { fill } };
      const options = {
        protocol,
        side: 'dialer',
        handlers,
        connection: { bytesWritten: 0, write: () => true },
      } as const;
      new Link(socket, own('server', 'one'), options, [notice(1), notice(2)]);
    });
    socket.emit('message', Buffer.from(notice(3)), true);
    socket.emit('message', Buffer.from(notice(4)), true);
    await done;
    expect(received).toEqual([1, 2, 3, 4]);
    socket.terminate();
  });

  it('hears all that is sent as soon as the other end has its link', async () => {
    const received: number[] = [];
    const { listener } = await serve({
      onLink: (link) => {
        for (let index = 0; index < 200; index++) link.notify('fill', { bytes: new Uint8Array([index]) });
      },
    });
    const link = await dialing(listener.port, {
      handlers: {
        requests: { ask: () => ({ name: 'two' }) },
        notices: { fill: ({ bytes }) => void received.push(bytes[0] ?? -1) },
      },
    });
    await link.request('double', { value: 1 }, { deadlineMs });
    expect(received).toEqual(Array.from({ length: 200 }, (_, index) => index));
    link.close();
  });

  it('gives up a request at its deadline, and all of them when the link ends', async () => {
    const { listener } = await serve();
    const link = await dialing(listener.port);
    const late = link.request('never', {}, { deadlineMs: 20 });
    await expect(late).rejects.toMatchObject({ code: 'link.timeout' });
    const pending = link.request('never', {}, { deadlineMs: 60_000 });
    link.close('enough');
    await expect(pending).rejects.toMatchObject({ code: 'link.closed' });
    const after = link.request('double', { value: 1 }, { deadlineMs });
    await expect(after).rejects.toMatchObject({ code: 'link.closed' });
  });

  it('brings errors across with code, message and details, and what cannot be said without details', async () => {
    const { listener } = await serve();
    const link = await dialing(listener.port);
    const message = 'vm-1 is leased to h2';
    failures.held = new OperationError({ code: 'lease.held', message, details: { owner: 'h2' } });
    failures.huge = new OperationError({ code: 'lease.held', message, details: { bits: 2n ** 80n } });
    failures.long = new OperationError({ code: 'lease.held', message, details: { x: 'x'.repeat(1 << 20) } });
    failures.date = new OperationError({ code: 'lease.held', message, details: { at: new Date() } });
    const ask = (how: string) => link.request('fails', { how }, { deadlineMs });
    await expect(ask('held')).rejects.toMatchObject({
      code: 'lease.held',
      message,
      details: { owner: 'h2' },
    });
    for (const how of ['huge', 'long', 'date']) {
      await expect(ask(how)).rejects.toMatchObject({ code: 'lease.held', message, details: {} });
    }
    await expect(ask('anything else')).rejects.toMatchObject({ code: 'internal', message: 'anything else' });
    link.close();
  });

  it('refuses to owe or be owed more answers than its bound', async () => {
    const { listener } = await serve();
    const link = await dialing(listener.port, { requestsInFlightMax: 3 });
    const pending = [1, 2, 3].map(() => link.request('never', {}, { deadlineMs: 60_000 }));
    const tooMany = link.request('double', { value: 1 }, { deadlineMs });
    await expect(tooMany).rejects.toMatchObject({ code: 'link.overflow' });
    expect(link.isOpen).toBe(true);
    link.close();
    const outcomes = await Promise.allSettled(pending);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
  });

  it('does not leave a trace of a request whose body has no form on the wire', async () => {
    const { listener } = await serve();
    const link = await dialing(listener.port);
    const body = { big: 2n ** 80n, bytes: new Uint8Array() };
    expect(() => link.request('echo', body, { deadlineMs: 10 })).toThrow('too large');
    expect(await link.request('double', { value: 4 }, { deadlineMs })).toEqual({ value: 8 });
    link.close();
  });
});
