import { type ClusterInfo, clientProtocol, OperationError } from '@skein/shared';
import { type Listener, listen } from '@skein/transport';
import { afterEach, describe, expect, it } from 'vitest';
import { ConsoleLink } from './console-link.ts';

const token = new Uint8Array(32).fill(7);
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
let listener: Listener<typeof clientProtocol> | null = null;

afterEach(async () => {
  await listener?.close();
  listener = null;
});

/** Answers an attachment with a backlog and, before that reply has left, with more output. */
async function startConsole(): Promise<{ readonly typed: number[]; readonly cluster: ClusterInfo }> {
  const typed: number[] = [];
  listener = await listen({
    host: '127.0.0.1',
    port: 0,
    protocol: clientProtocol,
    own: { role: 'coordinator', name: 'coordinator', bootId: 'cd'.repeat(16) },
    authentication: { kind: 'token', token },
    onLink: () => {},
    handlers: {
      requests: {
        'console.attach': ({ vm }, link) => {
          if (vm !== 'web1')
            throw new OperationError({ code: 'vm.not-found', message: `no vm is named ${vm}` });
          link.notify('console.output', { bytes: bytes(' second') });
          return { host: 'h1', backlog: bytes('first') };
        },
      },
      notices: { 'console.input': (input) => typed.push(input.bytes.length) },
    },
  });
  return {
    typed,
    cluster: {
      cluster: 'test',
      version: '0',
      pid: 1,
      clientPort: listener.port,
      startedAtMs: 0,
      declared: { vms: 0, ready: 0, waiting: [] },
    },
  };
}

const access = { url: 'http://127.0.0.1:1', token };

describe('a console link', () => {
  it('hands out the backlog before what was printed after it, whichever comes first', async () => {
    const { cluster } = await startConsole();
    let text = '';
    const link = await ConsoleLink.attach(access, cluster, 'web1', {
      onOutput: (output) => {
        text += new TextDecoder().decode(output);
      },
      onMarker: () => {},
    });
    expect(text).toBe('first second');
    link.close();
  });

  it('cuts long input into messages that the coordinator takes', async () => {
    const { cluster, typed } = await startConsole();
    const link = await ConsoleLink.attach(access, cluster, 'web1', {
      onOutput: () => {},
      onMarker: () => {},
    });
    link.type(new Uint8Array(10_000));
    await expect.poll(() => typed).toEqual([4096, 4096, 1808]);
    link.close();
  });

  it('is refused for a VM that is not there', async () => {
    const { cluster } = await startConsole();
    const handlers = { onOutput: () => {}, onMarker: () => {} };
    await expect(ConsoleLink.attach(access, cluster, 'web9', handlers)).rejects.toMatchObject({
      code: 'vm.not-found',
    });
  });
});
