import { afterEach, describe, expect, it } from 'vitest';
import { type Answer, answerJson, exampleHost, exampleVm, ScriptedApi } from '../testing/scripted-api.ts';
import { ApiClient } from './api-client.ts';

let api: ScriptedApi | null = null;

afterEach(async () => {
  await api?.close();
  api = null;
});

async function clientOf(answer: Answer): Promise<ApiClient> {
  api = await ScriptedApi.start(answer);
  return new ApiClient({ url: api.url, token: new Uint8Array(32).fill(0xab) });
}

describe('the API client', () => {
  it('sends the token, and a key that makes a repeated change have one effect', async () => {
    const client = await clientOf((_, response) =>
      answerJson(response, 200, { vm: exampleVm, operation: null }),
    );
    await client.stopVm('web1');
    await client.stopVm('web1');
    const [first, second] = api?.requests ?? [];
    expect(first).toMatchObject({ method: 'POST', path: '/v1/vms/web1/stop', body: {} });
    expect(first?.headers.authorization).toBe(`Bearer ${'ab'.repeat(32)}`);
    expect(first?.headers['idempotency-key']).not.toBe(second?.headers['idempotency-key']);
  });

  it('throws the error that the coordinator names, with its code, sentence and details', async () => {
    const problem = { code: 'placement.no-host', message: '0/3 hosts can run web2', details: { hosts: 3 } };
    const client = await clientOf((_, response) => answerJson(response, 409, problem));
    await expect(client.startVm('web2', {})).rejects.toMatchObject(problem);
  });

  it.each([
    ['a wrong token', 401, '', 'link.unauthenticated', /another cluster/],
    ['a page of something else', 404, '<html>', 'internal', /404 <html>/],
    ['an unknown code', 409, '{"code":"x.y","message":"z"}', 'internal', /409/],
  ])('tells %s in one sentence', async (_case, status, body, code, message) => {
    const client = await clientOf((_, response) => response.writeHead(status).end(body));
    await expect(client.hosts()).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message) as string,
    });
  });

  it.each(['', 'null', '{}', '{"items":[]}', JSON.stringify([{ ...exampleHost, state: 'tired' }])])(
    'refuses the reply %j, which is not what the schema says',
    async (body) => {
      const client = await clientOf((_, response) => response.writeHead(200).end(body));
      await expect(client.hosts()).rejects.toMatchObject({
        message: expect.stringMatching(/reply to \/v1\/hosts is not what this skein expects/) as string,
      });
    },
  );

  it('is told when the connection breaks in the middle of a reply', async () => {
    const client = await clientOf((_, response) => {
      response.writeHead(200, { 'content-length': '1000' }).write('[{"name":', () => response.destroy());
    });
    await expect(client.vms()).rejects.toMatchObject({ code: 'coordinator.unreachable' });
  });

  it('yields events from after the last one seen, and says when the stream breaks', async () => {
    const event = { sequence: 8, atMs: 1, type: 'x', subject: 'vm/web1', message: 'm', details: {} };
    const client = await clientOf((_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(`id: 8\ndata: ${JSON.stringify(event)}\n\n`, () => response.destroy());
    });
    const seen: number[] = [];
    const watch = async (): Promise<void> => {
      for await (const { sequence } of client.watchEvents(7, new AbortController().signal))
        seen.push(sequence);
    };
    await expect(watch()).rejects.toMatchObject({ code: 'coordinator.unreachable' });
    expect(seen).toEqual([8]);
    expect(api?.requests[0]?.headers['last-event-id']).toBe('7');
  });
});
