import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hostMetrics } from './catalogue/host.ts';
import { MetricRegistry } from './metric-registry.ts';
import { MetricsEndpoint } from './metrics-endpoint.ts';

const token = new Uint8Array(32).fill(7);
const authorization = `Bearer ${Buffer.from(token).toString('hex')}`;
const registry = new MetricRegistry(hostMetrics);
const failures: unknown[] = [];
let isBroken = false;
let endpoint: MetricsEndpoint;

beforeAll(async () => {
  registry.onScrape((set) => {
    if (isBroken) throw new Error('a sample failed');
    set('cpuCapacity', {}, 5e8);
  });
  endpoint = await open(0);
});
afterAll(() => endpoint.close());

function open(port: number, address = '127.0.0.1'): Promise<MetricsEndpoint> {
  const onFailed = (error: unknown): void => void failures.push(error);
  return MetricsEndpoint.open({ address, port, token, source: registry, onFailed });
}

function ask(path: string, init: RequestInit = {}): Promise<Response> {
  return fetch(`http://127.0.0.1:${endpoint.port}${path}`, { signal: AbortSignal.timeout(5000), ...init });
}

/** What comes back, and that the other side closes. */
function speak(bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let heard = '';
    const socket = connect(endpoint.port ?? 0, '127.0.0.1', () => socket.write(bytes));
    socket.setTimeout(15_000, () => reject(new Error('the connection is kept')));
    socket.on('data', (chunk) => {
      heard += chunk;
    });
    socket.on('error', () => resolve(heard));
    socket.on('close', () => resolve(heard));
  });
}

describe('the metrics endpoint', () => {
  it('gives the metrics to whoever has the token', async () => {
    const response = await ask('/metrics', { headers: { authorization } });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
    expect(await response.text()).toContain('skein_host_cpu_capacity_hertz 500000000\n');
  });

  it.each(['', 'Bearer ', `Bearer ${'0'.repeat(64)}`, `Basic ${'07'.repeat(32)}`, `${authorization}00`])(
    'refuses the authorization "%s" on every path and for every method, and tells nothing',
    async (wrong) => {
      for (const path of ['/metrics', '/', '/other']) {
        for (const method of ['GET', 'POST', 'DELETE']) {
          const response = await ask(path, { method, headers: { authorization: wrong } });
          expect(response.status, `${method} ${path}`).toBe(401);
          expect(await response.text()).not.toContain('skein_');
        }
      }
    },
  );

  it('has one path and one method', async () => {
    expect((await ask('/metrics/', { headers: { authorization } })).status).toBe(404);
    expect((await ask('//evil/metrics', { headers: { authorization } })).status).toBe(404);
    expect((await ask('/metrics?x=1', { headers: { authorization } })).status).toBe(200);
    const post = await ask('/metrics', { method: 'POST', body: 'x', headers: { authorization } });
    expect(post.status).toBe(405);
    expect(post.headers.get('allow')).toBe('GET');
  });

  it.each([
    ['says nothing', ''],
    ['never ends its request', 'GET /metrics HTTP/1.1\r\nhost: x\r\n'],
    ['sends a header without end', `GET /metrics HTTP/1.1\r\nx: ${'a'.repeat(100_000)}`],
    [
      'announces a body and does not send it',
      'POST /metrics HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n',
    ],
    ['speaks another protocol', '\x16\x03\x01\x02\x00\x01\x00\r\n\r\n'],
  ])('cuts off a stranger who %s', async (_, bytes) => {
    expect(await speak(bytes)).not.toContain('200 OK');
    expect((await ask('/metrics', { headers: { authorization } })).status).toBe(200);
  });

  it('answers 500 and tells its program when the metrics cannot be read', async () => {
    isBroken = true;
    const response = await ask('/metrics', { headers: { authorization } });
    isBroken = false;
    expect(response.status).toBe(500);
    expect(await response.text()).not.toContain('a sample failed');
    expect(failures).toEqual([new Error('a sample failed')]);
    expect((await ask('/metrics', { headers: { authorization } })).status).toBe(200);
  });

  it('follows its network to another address, on the same port, with connections open', async () => {
    const { port } = endpoint;
    await ask('/metrics', { headers: { authorization } });
    await endpoint.move();
    expect(endpoint.port).toBe(port);
    const request = `GET /metrics HTTP/1.1\r\nhost: x\r\nauthorization: ${authorization}\r\nconnection: close\r\n\r\n`;
    expect(await speak(request)).toContain('HTTP/1.1 200 OK');
  });

  it('says which port is in use, and waits for a network that is not there', async () => {
    const taken = endpoint.port ?? 0;
    await expect(open(taken)).rejects.toMatchObject({ code: 'address.in-use' });
    const absent = await open(taken, '192.0.2.0/24');
    expect(absent.port).toBe(taken);
    await absent.close();
  });
});
