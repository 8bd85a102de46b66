import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { runSkein, type SkeinRun } from '../testing/run-skein.ts';
import {
  answerJson,
  exampleCluster,
  exampleHost,
  exampleOperation,
  exampleVm,
  ScriptedApi,
} from '../testing/scripted-api.ts';

let folder = '';
let api: ScriptedApi;
const vms = [
  exampleVm,
  { ...exampleVm, name: 'web2', state: 'waiting', host: null, reason: '0/3 hosts can run web2' },
];
const lost = { host: 'h3', reason: 'h3 does not hear h2', sinceMs: 1_700_000_000_000 };
const hosts = [
  exampleHost,
  {
    ...exampleHost,
    name: 'h2',
    lostPeers: [
      { ...lost, network: 'migration' },
      { ...lost, network: 'guest-a' },
    ],
  },
];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'skein-reading-'));
  await writeFile(join(folder, 'token'), 'ab'.repeat(32), { mode: 0o600 });
  api = await ScriptedApi.start(({ method, path }, response) => {
    if (method !== 'GET') answerJson(response, 200, { vm: exampleVm, operation: exampleOperation.id });
    else if (path === '/v1/vms') answerJson(response, 200, vms);
    else if (path === '/v1/hosts') answerJson(response, 200, hosts);
    else if (path.startsWith('/v1/events')) answerJson(response, 200, { events: [], next: 0 });
    else if (path === '/v1/cluster') answerJson(response, 200, exampleCluster);
    else answerJson(response, 200, { ...exampleOperation, state: 'succeeded', endedAtMs: 1_700_000_000_500 });
  });
});

afterAll(async () => {
  await api.close();
  await rm(folder, { recursive: true, force: true });
});

function skein(...args: readonly string[]): Promise<SkeinRun> {
  return runSkein(args, { environment: { SKEIN_URL: api.url, SKEIN_TOKEN_FILE: join(folder, 'token') } });
}

describe.concurrent('reading and changing a cluster', () => {
  it('shows a table with the reason why something waits', async ({ expect }) => {
    expect((await skein('get', 'vms')).stdout).toBe(
      [
        'NAME  STATE    HOST  MIB  MHZ  ADDRESS        READY  REASON',
        'web1  running  h1    128   20  10.77.0.11/24  4.3 s  -',
        'web2  waiting  -     128   20  10.77.0.11/24  4.3 s  0/3 hosts can run web2',
        '',
      ].join('\n'),
    );
  });

  it("prints the API's object unchanged as JSON, a list only where a list was asked for", async ({
    expect,
  }) => {
    const [one, all] = await Promise.all([
      skein('get', 'vm', 'vm/web1', '-o', 'json'),
      skein('get', 'vm', 'web*', '--output', 'json'),
    ]);
    expect(JSON.parse(one.stdout)).toEqual(exampleVm);
    expect(JSON.parse(all.stdout)).toEqual(vms);
  });

  it('prints names that other commands take', async ({ expect }) => {
    expect((await skein('get', 'host', '--output', 'name')).stdout).toBe('host/h1\nhost/h2\n');
  });

  it('says which hosts have lost each other, on which networks, and who does not hear whom', async ({
    expect,
  }) => {
    const [table, one] = await Promise.all([skein('get', 'host'), skein('describe', 'host', 'h2')]);
    expect(table.stdout).toMatch(/^h1 .* -$/m);
    expect(table.stdout).toMatch(/^h2 .* has lost h3 \(migration, guest-a\)$/m);
    expect(one.stdout).toMatch(
      /hosts that it has lost:\n {2}h3 on migration since .*: h3 does not hear h2\n/,
    );
    expect(one.stdout).toMatch(/addresses:\n {2}management: 127\.42\.1\.11\n/);
  });

  it('is 3 for a name that is not there and 2 for one that is not whole enough', async ({ expect }) => {
    const [absent, ambiguous] = await Promise.all([skein('get', 'vm', 'db'), skein('vm', 'stop', 'we')]);
    expect([absent.exitCode, ambiguous.exitCode]).toEqual([3, 2]);
    expect(absent.stderr).toBe('skein: no vm is named db; there is web1, web2\n');
    expect(ambiguous.stderr).toContain('give more of it');
  });

  it('waits for a change, and with --no-wait prints its operation', async ({ expect }) => {
    const [waited, not] = await Promise.all([
      skein('vm', 'start', 'web1'),
      skein('vm', 'stop', 'web1', '--no-wait'),
    ]);
    expect([waited.exitCode, waited.stdout]).toEqual([0, 'vm/web1 runs on h1\n']);
    expect([not.exitCode, not.stdout]).toEqual([0, `${exampleOperation.id}\n`]);
  });

  it('refuses the console of a VM that waits, with its reason, to whoever does not wait', async ({
    expect,
  }) => {
    const run = await skein('vm', 'console', 'web2');
    expect([run.exitCode, run.stdout]).toEqual([4, '']);
    expect(run.stderr).toBe(
      'skein: web2 is waiting (0/3 hosts can run web2): it has no console; it can be waited for with --follow\n',
    );
  });

  it('watches without a word about gauges that move, until something else changes', async ({ expect }) => {
    let looks = 0;
    const moving = await ScriptedApi.start((_, response) => {
      looks += 1;
      const state = looks < 4 ? 'running' : 'frozen';
      answerJson(response, 200, [{ ...exampleVm, usedMhz: looks * 10, state }]);
    });
    const environment = { SKEIN_URL: moving.url, SKEIN_TOKEN_FILE: join(folder, 'token') };
    const watching = new AbortController();
    const run = runSkein(['get', 'vm', '--watch'], { environment, signal: watching.signal });
    await expect.poll(() => looks, { timeout: 10_000 }).toBeGreaterThan(6);
    watching.abort();
    expect((await run).stdout.split('\n').map((line) => line.split(/ +/).slice(0, 5).join(' '))).toEqual([
      'NAME STATE HOST MIB MHZ',
      'web1 running h1 128 10',
      'web1 frozen h1 128 40',
      '',
    ]);
    await moving.close();
  });
});
