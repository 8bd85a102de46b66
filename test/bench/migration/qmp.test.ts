import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { QmpClient, QmpFraming } from './qmp.ts';

describe('QMP’s stream', () => {
  it('is the same messages however it is cut', () => {
    const messages = [
      { QMP: { version: {} } },
      { return: {}, id: 1 },
      { event: 'STOP', data: { é: '\u{1f600}' } },
    ];
    const stream = messages.map((message) => `${JSON.stringify(message)}\r\n`).join('');
    fc.assert(
      fc.property(fc.array(fc.nat(stream.length), { maxLength: 10 }), (cuts) => {
        const framing = new QmpFraming();
        const places = [0, ...cuts.toSorted((a, b) => a - b), stream.length];
        const heard = places.slice(1).flatMap((end, index) => framing.push(stream.slice(places[index], end)));
        expect(heard).toEqual(messages);
      }),
    );
  });

  it('is refused when it is none', () => {
    expect(() => new QmpFraming().push('hello\n')).toThrow();
    expect(() => new QmpFraming().push('[1]\n')).toThrow(/no message/);
    expect(() => new QmpFraming().push('x'.repeat(2 << 20))).toThrow(/more than/);
  });
});

describe('a QMP client', () => {
  it('matches answers to commands, hears events, and says what QEMU refuses', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'skein-qmp-'));
    const path = join(folder, 'qmp');
    const server = createServer((socket) => {
      socket.write('{"QMP": {"version": {}, "capabilities": []}}\r\n');
      socket.setEncoding('utf8').on('data', (text: string) => {
        const { execute, id } = JSON.parse(text) as { execute: string; id: number };
        if (execute === 'stop') socket.write('{"event": "STOP", "timestamp": {}}\r\n');
        const error = { class: 'CommandNotFound', desc: 'The command is not known' };
        socket.write(
          `${JSON.stringify(execute === 'wrong' ? { error, id } : { return: { execute }, id })}\r\n`,
        );
      });
    }).listen(path);
    const client = await QmpClient.open(path);
    const events: string[] = [];
    client.onEvent(({ event }) => events.push(event));
    await expect(client.execute('stop')).resolves.toEqual({ execute: 'stop' });
    expect(events).toEqual(['STOP']);
    await expect(client.execute('wrong')).rejects.toThrow('wrong: The command is not known');
    client.close();
    server.close();
    rmSync(folder, { recursive: true });
  });
});
