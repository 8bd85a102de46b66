import { request } from 'node:http';
import { ClusterEvent, type ClusterInfo } from '@skein/shared';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { image, TestCluster } from '../testing/test-cluster.ts';

let cluster: TestCluster;
beforeAll(async () => {
  cluster = await TestCluster.start(1);
});
afterAll(() => cluster.close());

const body = (name: string) => ({ name, image, start: false });

/** `fetch` sets the Host header itself. */
function statusWithHost(host: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const port = cluster.ports.apiPort;
    const sent = request({ host: '127.0.0.1', port, path: '/v1/cluster', headers: { host } }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    sent.on('error', reject);
    sent.end();
  });
}

describe('the API', () => {
  it('says who it is', async () => {
    const info = await cluster.get<ClusterInfo>('/cluster');
    expect(info).toMatchObject({ cluster: 'test', pid: process.pid, clientPort: cluster.ports.clientPort });
  });

  it('refuses whoever does not show the token', async () => {
    for (const authorization of ['', 'Bearer ', `Bearer ${'0'.repeat(64)}`, `Basic ${'02'.repeat(32)}`]) {
      const response = await cluster.fetch('GET', '/v1/vms', undefined, { authorization });
      expect(response.status).toBe(401);
      expect(response.headers.get('content-type')).toBe('application/problem+json');
      expect(await response.json()).toMatchObject({ code: 'link.unauthenticated' });
    }
  });

  it('answers under an address or localhost only', async () => {
    expect(await statusWithHost('evil.example')).toBe(421);
    expect(await statusWithHost('127.0.0.1:80')).toBe(401);
    expect(await statusWithHost('localhost')).toBe(401);
  });

  it('names everything that is wrong with a request', async () => {
    const response = await cluster.fetch('POST', '/v1/vms', { name: 'A B', image, memory: 1, cores: 2 });
    expect(response.status).toBe(400);
    const problem = (await response.json()) as { code: string; message: string };
    expect(problem.code).toBe('request.invalid');
    for (const word of ['memory', 'cores', 'at name']) expect(problem.message).toContain(word);
  });

  it('refuses what is not JSON, what is too large, and what is not there', async () => {
    expect((await cluster.fetch('POST', '/v1/vms', '{"name"')).status).toBe(400);
    expect((await cluster.fetch('POST', '/v1/vms', { ...body('web'), x: 'y'.repeat(70_000) })).status).toBe(
      413,
    );
    expect((await cluster.fetch('GET', '/v1/nothing')).status).toBe(404);
    expect((await cluster.fetch('GET', `/v1/operations/op-${'0'.repeat(16)}`)).status).toBe(404);
    expect((await cluster.fetch('GET', '/v1/events?page=2')).status).toBe(400);
  });

  it('refuses a name that is taken and a segment that is not there', async () => {
    expect((await cluster.fetch('POST', '/v1/vms', body('taken'))).status).toBe(200);
    const again = await cluster.fetch('POST', '/v1/vms', body('taken'));
    expect([again.status, await again.json()]).toMatchObject([409, { code: 'name.taken' }]);
    const lost = await cluster.fetch('POST', '/v1/vms', { ...body('lost'), nics: [{ segment: 'wan' }] });
    expect([lost.status, await lost.json()]).toMatchObject([400, { code: 'request.invalid' }]);
  });

  it('does what came twice under one Idempotency-Key once, also after a restart', async () => {
    const headers = { 'idempotency-key': 'create-once' };
    const first = await (await cluster.fetch('POST', '/v1/vms', body('once'), headers)).text();
    expect(await (await cluster.fetch('POST', '/v1/vms', body('once'), headers)).text()).toBe(first);
    await cluster.stopCoordinator();
    await cluster.startCoordinator();
    expect(await (await cluster.fetch('POST', '/v1/vms', body('once'), headers)).text()).toBe(first);
    expect((await cluster.fetch('POST', '/v1/vms', body('twice'), headers)).status).toBe(400);
    await expect(cluster.vm('twice')).rejects.toThrow(/404/);
  });

  it('gives VMs addresses of their own and tells the guest its name', async () => {
    const nics = [{ segment: 'lan', address: '10.77.0.5/24' }, { segment: 'lan' }];
    const { vm } = await cluster.create('addressed', {
      start: false,
      nics,
      bootArguments: 'skein.run=ticker',
    });
    const { machine } = vm.spec;
    expect(new Set(machine.nics.map(({ mac }) => mac)).size).toBe(2);
    for (const { mac } of machine.nics) expect(mac).toMatch(/^52:54:00(:[0-9a-f]{2}){3}$/);
    expect(machine.bootArguments).toBe('skein.hostname=addressed skein.ip=10.77.0.5/24 skein.run=ticker');
  });

  it('describes itself in OpenAPI', async () => {
    const document = (await (await cluster.fetch('GET', '/openapi.json')).json()) as { paths: object };
    expect(Object.keys(document.paths)).toEqual(
      expect.arrayContaining(['/v1/vms/{name}/migrate', '/v1/operations/{id}/cancel']),
    );
  });
});

describe('the events', () => {
  it('come in pages in one order, each page going on where the last one ended', async () => {
    const all = await cluster.get<{ events: ClusterEvent[]; next: number }>('/events?limit=1000');
    const pages: ClusterEvent[] = [];
    for (let after = 0; ; ) {
      const page = await cluster.get<{ events: ClusterEvent[]; next: number }>(
        `/events?after=${after}&limit=3`,
      );
      if (page.events.length === 0 || page.next > all.next) break;
      pages.push(...page.events);
      after = page.next;
    }
    expect(pages.slice(0, all.events.length)).toEqual(all.events.slice(0, pages.length));
    expect(pages.length).toBeGreaterThan(3);
  });

  it('stream on from the Last-Event-ID, without a gap and without a repetition', async () => {
    const { next } = await cluster.get<{ next: number }>('/events?limit=1000');
    const headers = { accept: 'text/event-stream', 'last-event-id': String(next - 1) };
    const response = await cluster.fetch('GET', '/v1/events', undefined, headers);
    await cluster.create('streamed', { start: false });
    const decoder = new TextDecoder();
    let text = '';
    for await (const chunk of response.body ?? []) {
      text += decoder.decode(chunk as Uint8Array, { stream: true });
      if (text.includes('streamed was created')) break;
    }
    const sequences = [...text.matchAll(/^data: (.*)$/gm)].map(([, data]) =>
      ClusterEvent.parse(JSON.parse(data ?? '')),
    );
    const numbers = sequences.map(({ sequence }) => sequence);
    expect(numbers).toEqual(numbers.map((_, index) => next + index));
  });
});
