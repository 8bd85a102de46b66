import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CoordinatorBed, someImage } from './coordinator-bed.ts';

let bed: CoordinatorBed;
beforeAll(async () => {
  bed = await CoordinatorBed.start(['h1', 'h2']);
});
afterAll(() => bed.close());

/** fetch will not send another Host header. */
function statusWithHost(host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { host, authorization: `Bearer ${bed.apiToken}` };
    request(`${bed.apiUrl}/v1/cluster`, { headers }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    })
      .on('error', reject)
      .end();
  });
}

/** On a connection of its own: an answer that comes before the body was read ends its connection. */
function postStatus(body: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${bed.apiToken}`, 'content-type': 'application/json' };
    request(`${bed.apiUrl}/v1/vms`, { method: 'POST', headers, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    })
      .on('error', reject)
      .end(body);
  });
}

/** Reads a stream of events until `count` have come, or until one of `type` has. */
async function readEvents(count: number, headers: Readonly<Record<string, string>> = {}, type?: string) {
  const abort = new AbortController();
  const response = await fetch(`${bed.apiUrl}/v1/events`, {
    headers: { authorization: `Bearer ${bed.apiToken}`, accept: 'text/event-stream', ...headers },
    signal: AbortSignal.any([abort.signal, AbortSignal.timeout(15_000)]),
  });
  expect(response.headers.get('content-type')).toContain('text/event-stream');
  const found: { id: number; type: string }[] = [];
  let text = '';
  for await (const chunk of response.body ?? []) {
    text += Buffer.from(chunk).toString();
    const blocks = text.split('\n\n');
    text = blocks.pop() ?? '';
    for (const block of blocks) {
      const id = /^id: ?(\d+)$/m.exec(block)?.[1];
      const name = /^event: ?(.+)$/m.exec(block)?.[1];
      if (id !== undefined && name !== undefined) found.push({ id: Number(id), type: name });
    }
    if (found.length >= count || found.some((event) => event.type === type)) break;
  }
  abort.abort();
  return found.slice(0, count);
}

describe('the API', () => {
  it('answers nobody without the token, on any path, and never repeats it', async () => {
    for (const path of ['/v1/cluster', '/v1/vms', '/openapi.json', '/nothing']) {
      for (const authorization of ['', 'Bearer ', `Bearer ${'0'.repeat(64)}`, `Basic ${bed.apiToken}`]) {
        const answer = await bed.ask('GET', path, undefined, { authorization });
        expect(answer.status).toBe(401);
        expect(answer.headers.get('content-type')).toContain('application/problem+json');
        expect(JSON.stringify(answer.body)).not.toContain(bed.apiToken);
      }
    }
    expect(bed.coordinator.log()).not.toContain(bed.apiToken);
  });

  it('serves addresses and localhost only, so that no web page reaches it under a name of its own', async () => {
    expect(await statusWithHost(`${bed.network}.1.1`)).toBe(200);
    expect(await statusWithHost('localhost:80')).toBe(200);
    for (const host of ['evil.example', 'evil.example:8080', '127.0.0.1.evil.example']) {
      expect(await statusWithHost(host)).toBeGreaterThanOrEqual(400);
    }
  });

  it('names everything that is wrong with a request at once', async () => {
    const answer = await bed.ask('POST', '/v1/vms', {
      name: 'Bad Name',
      image: 'x',
      memory: 128,
      colour: 'red',
      cpu: { sharez: 1 },
    });
    expect(answer).toMatchObject({ status: 400, body: { code: 'request.invalid' } });
    const text = JSON.stringify(answer.body);
    for (const word of ['memory', 'colour', 'sharez', 'name', 'image']) expect(text).toContain(word);
    expect((await bed.ask('GET', '/v1/vms')).body).toEqual([]);
  });

  it.each([
    ['a segment that does not exist', { nics: [{ segment: 'dmz' }] }, 400, 'request.invalid'],
    ['a host that does not exist', { host: 'h9' }, 404, 'host.not-found'],
    ['too little memory', { memoryMib: 1 }, 400, 'request.invalid'],
    [
      'an address that is none',
      { nics: [{ segment: 'lan', address: '10.0.0.300/24' }] },
      400,
      'request.invalid',
    ],
    ['control characters for the kernel', { bootArguments: 'a\u0000b' }, 400, 'request.invalid'],
    ['arguments that leave no room for ours', { bootArguments: 'x'.repeat(1024) }, 400, 'request.invalid'],
  ])('refuses %s and creates nothing', async (_what, more, status, code) => {
    const answer = await bed.ask('POST', '/v1/vms', { name: 'wrong', image: someImage, ...more });
    expect(answer).toMatchObject({ status, body: { code } });
    expect((await bed.ask('GET', '/v1/vms/wrong')).status).toBe(404);
  });

  it('refuses bodies that are not JSON, and bodies without an end', async () => {
    expect(await postStatus('{"name":')).toBe(400);
    expect(await postStatus(JSON.stringify({ name: 'x'.repeat(1 << 20) }))).toBe(413);
    expect((await bed.ask('GET', '/v1/cluster')).status).toBe(200);
  });

  it('says 404 with a code for what is not there', async () => {
    for (const [path, code] of [
      ['/v1/vms/none', 'vm.not-found'],
      ['/v1/hosts/none', 'host.not-found'],
      ['/v1/operations/op-0000000000000000', 'operation.not-found'],
    ]) {
      expect(await bed.ask('GET', path ?? '')).toMatchObject({ status: 404, body: { code, status: 404 } });
    }
    expect((await bed.ask('GET', '/v2/vms')).status).toBe(404);
  });

  it('describes itself with OpenAPI 3.1', async () => {
    const { body } = await bed.ask('GET', '/openapi.json');
    expect(body.openapi).toMatch(/^3\.1/);
    expect(Object.keys(body.paths as object)).toEqual(
      expect.arrayContaining([
        '/v1/cluster',
        '/v1/hosts',
        '/v1/vms/{name}/migrate',
        '/v1/operations/{id}',
        '/v1/events',
      ]),
    );
  });

  it('takes a name once', async () => {
    await bed.succeeded((await bed.create('web1')).operation);
    expect(await bed.ask('POST', '/v1/vms', { name: 'web1', image: someImage })).toMatchObject({
      status: 409,
      body: { code: 'name.taken' },
    });
  });

  it('gives the same Idempotency-Key the same answer and one effect, also after it was killed', async () => {
    const body = { name: 'once', image: someImage };
    const headers = { 'idempotency-key': 'a-key' };
    const first = await bed.ask('POST', '/v1/vms', body, headers);
    expect(first.status).toBeLessThan(300);
    await bed.succeeded(String(first.body.operation));
    await bed.killCoordinator();
    await bed.startCoordinator();
    const again = await bed.ask('POST', '/v1/vms', body, headers);
    expect(again.status).toBe(first.status);
    expect(again.body.operation).toBe(first.body.operation);
    expect(again.body.vm).toMatchObject({ id: (first.body.vm as { id: string }).id });
    const other = await bed.ask('POST', '/v1/vms', { ...body, name: 'twice' }, headers);
    expect(other).toMatchObject({ status: 400, body: { code: 'request.invalid' } });
    expect((await bed.operations()).filter(({ vmName }) => vmName === 'once')).toHaveLength(1);
    expect(bed.agents().filter((agent) => agent.vmNamed('once'))).toHaveLength(1);
  });

  it('streams every event once and in order, from wherever a reader was cut off', async () => {
    const page = await bed.events();
    const all = page.map(({ sequence }) => sequence);
    expect(all).toEqual(all.toSorted((a, b) => a - b));
    expect(new Set(all).size).toBe(all.length);
    const streamed = await readEvents(5);
    expect(streamed.map(({ id }) => id)).toEqual(all.slice(0, 5));
    const cursor = streamed.at(-1)?.id ?? 0;
    const rest = await readEvents(all.length - 5, { 'last-event-id': String(cursor) });
    expect(rest.map(({ id }) => id)).toEqual(all.slice(5, 5 + rest.length));
    const last = (await bed.events()).at(-1)?.sequence ?? 0;
    // Hosts that register meanwhile, after the coordinator's restart in another test, are events too.
    const next = readEvents(100, { 'last-event-id': String(last) }, 'vm.created');
    await bed.create('seen', { start: false });
    const seen = await next;
    expect(seen.at(-1)?.type).toBe('vm.created');
    expect(seen.map(({ id }) => id)).toEqual(seen.map((_, index) => last + 1 + index));
  });
});
