import { afterEach, describe, expect, it } from 'vitest';
import { type Answer, answerJson, exampleOperation, ScriptedApi } from '../testing/scripted-api.ts';
import { ApiClient } from './api-client.ts';
import { awaitOperation } from './follow-operation.ts';

let api: ScriptedApi | null = null;

afterEach(async () => {
  await api?.close();
  api = null;
});

async function clientOf(answer: Answer): Promise<ApiClient> {
  api = await ScriptedApi.start(answer);
  return new ApiClient({ url: api.url, token: new Uint8Array(32) });
}

describe('following an operation', () => {
  it('ends when it has succeeded, over a coordinator that is restarted meanwhile', async () => {
    const states = ['pending', null, 'running', 'succeeded'];
    const client = await clientOf((_, response) => {
      const state = states.shift();
      if (state === null) response.destroy();
      else answerJson(response, 200, { ...exampleOperation, state });
    });
    const seen: string[] = [];
    const done = await awaitOperation(client, exampleOperation.id, {
      onProgress: ({ state }) => seen.push(state),
    });
    expect([done.state, seen]).toEqual(['succeeded', ['pending', 'running']]);
  });

  it('throws what made it fail', async () => {
    const problem = { code: 'migration.aborted', message: 'h2 went away', details: {} };
    const client = await clientOf((_, response) =>
      answerJson(response, 200, { ...exampleOperation, state: 'failed', problem }),
    );
    await expect(awaitOperation(client, exampleOperation.id)).rejects.toMatchObject(problem);
  });

  it('can be left, and says that the operation goes on', async () => {
    const client = await clientOf((_, response) => answerJson(response, 200, exampleOperation));
    const abort = new AbortController();
    const waiting = awaitOperation(client, exampleOperation.id, {
      signal: abort.signal,
      onProgress: () => abort.abort(),
    });
    await expect(waiting).rejects.toThrow(/^detached; op-0123456789abcdef goes on/);
  });
});
