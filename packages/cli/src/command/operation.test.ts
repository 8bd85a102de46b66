import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { OperationView } from '@skein/shared';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runSkein, type SkeinRun } from '../testing/run-skein.ts';
import { answerJson, exampleOperation, ScriptedApi } from '../testing/scripted-api.ts';

let folder = '';
let api: ScriptedApi;
/** What the API shows of the operation, one answer after the other; the last one stays. */
let views: OperationView[];

const migration: OperationView = {
  ...exampleOperation,
  kind: 'vm-migrate',
  targetHost: 'h2',
  waiting: 'place 2 of 3; h1 has 2 migrations',
};
const endedAtMs = exampleOperation.createdAtMs + 1000;
const problem = { code: 'operation.cancelled', message: 'cancelled by a test', details: {} } as const;
const cancelled: OperationView = { ...migration, state: 'failed', waiting: null, endedAtMs, problem };

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'skein-operation-'));
  await writeFile(join(folder, 'token'), 'ab'.repeat(32), { mode: 0o600 });
  api = await ScriptedApi.start(({ path }, response) => {
    const view = views.length > 1 ? views.shift() : views[0];
    answerJson(response, 200, path.startsWith('/v1/operations?') ? [view] : view);
  });
});
afterEach(async () => {
  await api.close();
  await rm(folder, { recursive: true, force: true });
});

function skein(...args: readonly string[]): Promise<SkeinRun> {
  return runSkein(args, { environment: { SKEIN_URL: api.url, SKEIN_TOKEN_FILE: join(folder, 'token') } });
}

describe('skein operation cancel', () => {
  it('takes the beginning of an id, and says where the VM stays', async () => {
    views = [migration, cancelled];
    const { exitCode, stdout } = await skein('operation', 'cancel', 'op-0123');
    expect([exitCode, stdout]).toEqual([0, 'vm/web1 stays on h1: its migration to h2 is cancelled\n']);
    expect(api.requests.map(({ method, path }) => `${method} ${path}`)).toContain(
      `POST /v1/operations/${migration.id}/cancel`,
    );
  });

  it('waits until the migration is given up', async () => {
    views = [migration, migration, migration, cancelled];
    const { exitCode, stdout } = await skein('operation', 'cancel', migration.id, '-o', 'json');
    expect([exitCode, JSON.parse(stdout)]).toEqual([0, cancelled]);
  });

  it('is refused when the migration committed first', async () => {
    views = [migration, migration, { ...cancelled, state: 'succeeded', problem: null }];
    const { exitCode, stderr } = await skein('operation', 'cancel', migration.id);
    expect(exitCode).toBe(4);
    expect(stderr).toContain('committed before it could be cancelled: web1 runs on h2');
  });
});

describe('an operation that waits', () => {
  it('shows its place in the list, and when it is described', async () => {
    views = [migration];
    const list = await skein('get', 'operations');
    expect(list.stdout).toContain('waiting: place 2 of 3; h1 has 2 migrations');
    const one = await skein('describe', 'operation', migration.id);
    expect(one.stdout).toMatch(/^waiting: +place 2 of 3; h1 has 2 migrations$/m);
  });
});
