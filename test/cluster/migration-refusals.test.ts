/**
 * Migrations that cannot be, asked for by the command line in a whole cluster: each is refused by a code of its own with the
 * reason, before anything of it has begun, and the guest runs on where it is.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AgentConfig, HostView, OperationView, VmView } from '@skein/shared';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cluster, type Console, type Refusal } from '../support/cluster.ts';
import { type OtherBuild, otherBuild } from '../support/other-build.ts';
import { type Program, spawnProgram } from '../support/process.ts';

const folder = mkdtempSync(join(tmpdir(), 'skein-refusals-'));
const programs: Omit<Program, 'ready'>[] = [];
let build: OtherBuild;
let cluster: Cluster;
let web1: Console;

beforeAll(async () => {
  build = otherBuild({ machine: 99 });
  cluster = await Cluster.start(2);
  web1 = await cluster.boot('web1', 'h1', '10.77.0.11');
});
afterAll(async () => {
  for (const program of programs) program.kill();
  await Promise.all(programs.map(({ ended }) => ended));
  await cluster.close();
  build.remove();
  rmSync(folder, { recursive: true, force: true });
});

/** A host beside those that `up` started, with what it has of its own. */
async function addHost(
  name: string,
  number: number,
  change: Partial<AgentConfig>,
  from?: string,
): Promise<void> {
  const config = JSON.parse(readFileSync(cluster.process('h1').configFile, 'utf8')) as AgentConfig;
  const addresses = Object.fromEntries(
    Object.entries(config.addresses).map(([kind, address]) => [
      kind,
      address.replace(/\.\d+$/, `.${number}`),
    ]),
  ) as AgentConfig['addresses'];
  const own = { host: name, stateDirectory: join(folder, name), addresses };
  const all = { ...config, ...own, capacity: { memoryMib: 512, cpuMhz: 100 }, ...change };
  const { program, ready } = spawnProgram(name, 'host-agent', folder, all, from);
  programs.push(program);
  await ready;
}

const migrate = (name: string, to: string): Promise<Refusal> =>
  cluster.refusal('vm', 'migrate', name, '--to', to);

async function expectUnharmed(): Promise<void> {
  expect(await cluster.vm('web1')).toMatchObject({ state: 'running', host: 'h1', epoch: 1, operation: null });
  await web1.expectAlive();
}

describe('a migration', () => {
  it('to a host that is full is refused with what it has left', async () => {
    await cluster.api('POST', '/vms', { name: 'big', memoryMib: 960, image: cluster.image, host: 'h2' });
    expect(await migrate('web1', 'h2')).toMatchObject({
      code: 'placement.no-host',
      exitCode: 4,
      message: expect.stringContaining('h2 has 64 MiB free of 128 needed') as string,
    });
    await expectUnharmed();
    await cluster.skein('vm', 'stop', 'big');
    await cluster.skein('vm', 'delete', 'big');
  });

  it('to a host in maintenance is refused, and none is chosen that is in maintenance, also over restarts; so it is for new guests', async () => {
    expect(await cluster.skein('host', 'maintenance', 'h2', 'on')).toBe(
      'host/h2 is in maintenance: nothing new comes to it\n',
    );
    expect(await cluster.skein('get', 'host', 'h2')).toMatch(/^h2 +connected, maintenance /m);
    expect(await migrate('web1', 'h2')).toMatchObject({
      code: 'host.in-maintenance',
      exitCode: 4,
      message: 'h2 is in maintenance: choose another host, or end it with `skein host maintenance h2 off`',
    });
    expect(await cluster.refusal('vm', 'migrate', 'web1')).toMatchObject({
      code: 'placement.no-host',
      message: expect.stringContaining('h2 is in maintenance') as string,
    });
    expect(await cluster.refusal('vm', 'create', 'web2', '--host', 'h2')).toMatchObject({
      code: 'host.in-maintenance',
    });
    // It is of the host, not of its process.
    await cluster.kill('h2');
    await cluster.restart('h2');
    await cluster.connected('h2');
    expect(await cluster.host('h2')).toMatchObject({ isInMaintenance: true });
    await expectUnharmed();
    expect(await cluster.skein('host', 'maintenance', 'h2', 'off')).toBe('host/h2 is out of maintenance\n');
    const types = (await cluster.api<{ events: { type: string }[] }>('GET', '/events')).events.map(
      ({ type }) => type,
    );
    expect(types).toEqual(expect.arrayContaining(['host.maintenance-begun', 'host.maintenance-ended']));
  });

  it('to a host without the migration network is refused', async () => {
    const { configFile } = cluster.process('h1');
    const { addresses } = JSON.parse(readFileSync(configFile, 'utf8')) as AgentConfig;
    const without = Object.fromEntries(
      Object.entries(addresses)
        .filter(([kind]) => kind !== 'migration')
        .map(([kind, address]) => [kind, address.replace(/\.\d+$/, '.97')]),
    ) as AgentConfig['addresses'];
    await addHost('h7', 97, { addresses: without });
    expect(await migrate('web1', 'h7')).toMatchObject({
      code: 'migration.no-network',
      exitCode: 4,
      message: expect.stringContaining('h7 has no address on the migration network') as string,
    });
    await expectUnharmed();
  });

  it('to a host that lacks the guest’s image is refused: it could not start the guest again', async () => {
    await addHost('h8', 98, { imageDirectory: join(folder, 'no-images') });
    const { code, exitCode, message } = await migrate('web1', 'h8');
    expect([code, exitCode]).toEqual(['image.not-found', 3]);
    expect(message).toMatch(/this host has no image [0-9a-f]{64} in \S+; build it with: skein image build/);
    expect(await cluster.vm('web1')).toMatchObject({ state: 'running', host: 'h1', epoch: 1 });
    await expectUnharmed();
  });

  it('to a host whose machine has another version is refused with both versions', async () => {
    await addHost('h9', 99, {}, build.root);
    const { machineVersion } = await cluster.api<HostView>('GET', '/hosts/h1');
    expect(await migrate('web1', 'h9')).toMatchObject({
      code: 'migration.machine-version',
      exitCode: 4,
      message: `h9 has machine version 99, h1 has ${machineVersion}: update the older one, or choose another host`,
    });
    await expectUnharmed();
  });

  it('to where the guest is, or to no host at all, is refused', async () => {
    expect(await migrate('web1', 'h1')).toMatchObject({ code: 'migration.same-host', exitCode: 4 });
    expect(await migrate('web1', 'h77')).toMatchObject({ code: 'host.not-found', exitCode: 3 });
    await expectUnharmed();
  });

  it('of a guest that is off is refused', async () => {
    await cluster.api('POST', '/vms', { name: 'off', memoryMib: 128, image: cluster.image, start: false });
    expect(await migrate('off', 'h2')).toMatchObject({ code: 'vm.wrong-state', exitCode: 4 });
  });

  it('of a guest that is being migrated is refused, tells how far it is meanwhile, and can be called off', async () => {
    const { operation } = await cluster.api<{ operation: string }>('POST', '/vms/web1/migrate', {
      host: 'h2',
      bandwidthCapBytesPerS: 2 << 20,
      compression: 'never',
    });
    const { currentRound } = await cluster.eventually('a part of the round is told', async () => {
      const { progress } = await cluster.operation(operation);
      return progress !== null && (progress.currentRound?.pages ?? 0) > 0 && progress;
    });
    expect(currentRound?.round).toBe(1);
    expect(currentRound?.pagesTotal).toBeGreaterThan(currentRound?.pages ?? 0);
    const later = await cluster.eventually('more of it is told', async () => {
      const { progress } = await cluster.operation(operation);
      const next = progress?.currentRound ?? null;
      return next !== null && next.pages > (currentRound?.pages ?? 0) && next.remainingMs !== null && next;
    });
    // The cap of its own: what was sent ahead counts once it is applied.
    expect(later.bandwidthBytesPerS).toBeLessThan(3 << 20);
    expect(later.bytes).toBeGreaterThan(currentRound?.bytes ?? 0);
    expect(await cluster.skein('describe', 'operation', operation)).toMatch(
      /round 1: \d+ %, about [\dms. ]+ left at [\d.]+ [KM]iB\/s, \d+ of \d+ pages, [\d.]+ [KM]iB/,
    );
    expect(await migrate('web1', 'h2')).toMatchObject({ code: 'vm.busy', exitCode: 4 });
    await cluster.skein('operation', 'cancel', operation);
    const ended = await cluster.eventually('it is over', async () => {
      const view: OperationView = await cluster.operation(operation);
      return view.endedAtMs !== null && view;
    });
    expect(ended.problem).toMatchObject({ code: 'operation.cancelled' });
    await expectUnharmed();
  });

  it('to a host that fits succeeds after all of that', async () => {
    await cluster.skein('vm', 'migrate', 'web1', '--to', 'h2');
    const vm: VmView = await cluster.vm('web1');
    expect(vm).toMatchObject({ state: 'running', host: 'h2', epoch: 2 });
    await web1.expectAlive();
  });
});
