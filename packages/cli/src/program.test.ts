import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { runSkein } from './testing/run-skein.ts';

let folder = '';
let tokenFile = '';

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'skein-program-'));
  tokenFile = join(folder, 'token');
  await writeFile(tokenFile, 'ab'.repeat(32), { mode: 0o600 });
});

afterAll(() => rm(folder, { recursive: true, force: true }));

describe.concurrent('exit codes and messages of skein', () => {
  it.for<readonly [string, readonly string[], RegExp]>([
    ['an unknown command', ['frobnicate'], /unknown command 'frobnicate'; known here: up, down, get,/],
    ['an unknown kind', ['get', 'frob'], /'frob'; known here: host, vm, operation, event\n$/],
    ['an address without a vNIC', ['vm', 'create', 'w', '--no-nic', '--address', '10.0.0.1/8'], /--no-nic/],
    ['the address of a network', ['vm', 'create', 'w', '--address', '10.0.0.0/8'], /names the network/],
    ['an unknown option', ['get', 'vm', '--wtach'], /unknown option '--wtach'.*--watch/s],
    ['an unknown form of output', ['get', 'vm', '--output', 'xml'], /xml.*table, wide, json, yaml, name/],
    ['a missing argument', ['vm', 'stop'], /missing required argument 'name'/],
    ['a name that cannot be one', ['vm', 'create', 'Web_1'], /Web_1 cannot be a name/],
    ['an address without a prefix', ['vm', 'create', 'web1', '--address', '10.0.0.1'], /10\.77\.0\.11\/24/],
    ['no hosts', ['up', '--hosts', '0'], /whole number from 1 to 32/],
    ['a bed that is none', ['up', '--bed', 'racks'], /Allowed choices are processes, namespaces/],
    [
      'networks without certificates',
      ['up', '--bed', 'namespaces', '--insecure'],
      /loopback addresses alone/,
    ],
  ])('are 2 and one message for %s', async ([, args, message], { expect }) => {
    const run = await runSkein(args);
    expect(run.stderr).toMatch(message);
    expect([run.exitCode, run.stdout]).toEqual([2, '']);
  });

  it('is 3 when there is no cluster, and says how to get one', async ({ expect }) => {
    const run = await runSkein(['get', 'vm']);
    expect([run.exitCode, run.stdout]).toEqual([3, '']);
    expect(run.stderr).toMatch(/^skein: there is no cluster in \/nonexistent; start one with.*skein up/);
  });

  it('is 0 for an end to what is not there', async ({ expect }) => {
    const run = await runSkein(['down']);
    expect([run.exitCode, run.stdout]).toEqual([0, '']);
    expect(run.stderr).toBe('there is nothing to end: no cluster in /nonexistent\n');
  });

  it('is 6 when nobody answers where the coordinator should be', async ({ expect }) => {
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    const environment = { SKEIN_URL: `http://127.0.0.1:${port}`, SKEIN_TOKEN_FILE: tokenFile };
    const run = await runSkein(['get', 'host'], { environment });
    expect(run.exitCode).toBe(6);
    expect(run.stderr).toContain(
      `the coordinator at http://127.0.0.1:${port} cannot be reached (ECONNREFUSED)`,
    );
  });

  it('reports problem details with the stable code when JSON is asked for', async ({ expect }) => {
    const run = await runSkein(['get', 'vm', '--output', 'json']);
    expect(run.exitCode).toBe(3);
    expect(JSON.parse(run.stderr)).toMatchObject({
      code: 'cluster.not-running',
      type: 'urn:skein:error:cluster.not-running',
      exitCode: 3,
    });
  });

  it('is 2 for a token file that others can read, and never prints the token', async ({ expect }) => {
    const open = join(folder, 'open-token');
    await writeFile(open, 'cd'.repeat(32), { mode: 0o644 });
    const environment = { SKEIN_URL: 'http://127.0.0.1:1', SKEIN_TOKEN_FILE: open };
    const run = await runSkein(['get', 'vm'], { environment });
    expect(run.exitCode).toBe(2);
    expect(run.stderr).toContain('chmod 600');
    expect(run.stderr + run.stdout).not.toContain('cdcd');
  });

  it('shows what it can do without any argument, and is 2, for nothing was asked', async ({ expect }) => {
    const run = await runSkein([]);
    expect(run.exitCode).toBe(2);
    for (const command of ['up', 'down', 'get', 'vm', 'machine', 'demo'])
      expect(run.stderr).toContain(`  ${command}`);
  });

  it('is 0 for help, which goes to standard output', async ({ expect }) => {
    const run = await runSkein(['vm', 'create', '--help']);
    expect([run.exitCode, run.stderr]).toEqual([0, '']);
    expect(run.stdout).toContain('--memory <MIB>');
  });
});
