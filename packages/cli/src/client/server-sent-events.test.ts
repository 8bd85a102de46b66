import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readServerSentEvents, type ServerSentEvent } from './server-sent-events.ts';

async function read(chunks: readonly Uint8Array[]): Promise<ServerSentEvent[]> {
  async function* body(): AsyncGenerator<Uint8Array> {
    yield* chunks;
  }
  const events: ServerSentEvent[] = [];
  for await (const event of readServerSentEvents(body())) events.push(event);
  return events;
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('server-sent events', () => {
  it('have type, id and data, of one line or several; comments and unfinished events are left out', async () => {
    const text = ': hello\n\nid: 7\nevent: vm\ndata: {"a":1}\n\ndata:x\ndata: y\n\ndata: unfinished\n';
    expect(await read([bytes(text)])).toEqual([
      { id: '7', event: 'vm', data: '{"a":1}' },
      { id: '7', event: 'message', data: 'x\ny' },
    ]);
  });

  it('are the same wherever the network cuts them, whichever line ends are used', async () => {
    const text = 'id: 1\ndata: größer\n\n: x\ndata: b\n\nid: 3\nevent: e\ndata: c\n\n';
    const whole = await read([bytes(text)]);
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('\n', '\r\n'),
        fc.array(fc.nat(60), { maxLength: 6 }),
        async (end, cuts) => {
          const all = bytes(text.replaceAll('\n', end));
          const places = [0, ...cuts.map((cut) => cut % all.length).sort((a, b) => a - b), all.length];
          const chunks = places.slice(1).map((place, index) => all.subarray(places[index], place));
          expect(await read(chunks)).toEqual(whole);
        },
      ),
    );
  });

  it('are given up when a line never ends', async () => {
    await expect(read(Array.from({ length: 20 }, () => new Uint8Array(1 << 16).fill(120)))).rejects.toThrow(
      /too long/,
    );
  });
});
