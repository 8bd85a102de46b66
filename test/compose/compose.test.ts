/** The cluster in containers, as people meet it: launched, looked at, broken by hand and by `skein`, taken down. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { itSurvivesFaults } from '../scenario/faults.ts';
import { itKnowsWhoLostWhom } from '../scenario/lost-hosts.ts';
import { eventually } from '../support/eventually.ts';
import {
  cluster,
  compose,
  container,
  containerOf,
  docker,
  downCluster,
  events,
  hosts,
  inside,
  project,
  prometheusImage,
  skein,
  upCluster,
  vms,
} from './compose-cluster.ts';

const programs = ['coordinator', 'storage', 'h1', 'h2', 'h3'];

let volumesBefore: string[] = [];

/** All but those of other projects, which come and go as they please: also such as nobody gave a name. */
async function volumes(): Promise<string[]> {
  const format = '{{.Name}} {{.Label "com.docker.compose.project"}}';
  const listed = (await docker('volume', 'ls', '--format', format)).split('\n');
  return listed.filter((line) => line.endsWith(' ') || line.endsWith(` ${project}`)).sort();
}

beforeAll(async () => {
  await downCluster();
  volumesBefore = await volumes();
  await upCluster();
}, 900_000);
afterAll(async () => {
  await downCluster();
  await docker('image', 'rm', '--force', prometheusImage);
}, 120_000);

const allWell = () =>
  eventually(
    'all hosts are connected',
    async () => (await hosts()).filter(({ state }) => state === 'connected').length === 3,
  );

/** Running and booted, each on one host. */
async function settled(): Promise<ReadonlyMap<string, string>> {
  return await eventually('all guests run', async () => {
    const all = await vms();
    if (all.some(({ state, host, readyMs }) => state !== 'running' || host === null || readyMs === null))
      return false;
    return new Map(all.map(({ name, host }) => [name, host ?? '']));
  });
}

/** A host that has a guest, and the guest. */
async function busyHost(): Promise<{ host: string; vm: string; epoch: number }> {
  const vm = (await vms()).find(({ state }) => state === 'running');
  if (vm?.host === undefined || vm.host === null || vm.epoch === null) throw new Error('no guest runs');
  return { host: vm.host, vm: vm.name, epoch: vm.epoch };
}

async function takenOver(vm: string, from: string, epoch: number): Promise<void> {
  const after = await eventually(`${vm} runs elsewhere`, async () => {
    const found = (await vms()).find(({ name }) => name === vm);
    return found?.state === 'running' && found.host !== from && found.readyMs !== null ? found : false;
  });
  expect(after.epoch).toBe(epoch + 1);
}

describe('docker compose up', () => {
  it('is over when every guest of the cluster file has booted, and spreads them over the hosts', async () => {
    expect((await hosts()).map(({ name, state }) => [name, state])).toEqual([
      ['h1', 'connected'],
      ['h2', 'connected'],
      ['h3', 'connected'],
    ]);
    const placed = await settled();
    expect([...placed.keys()]).toEqual(['web1', 'web2', 'web3']);
    expect(new Set(placed.values()).size).toBe(3);
  });

  it('gives each host an address on each of the seven networks, in its subnet', async () => {
    for (const { addresses } of await hosts()) {
      expect(Object.values(addresses).map((address) => address.split('.')[2])).toEqual([
        '1',
        '2',
        '3',
        '4',
        '5',
        '6',
        '7',
      ]);
    }
  });

  it('runs every program without root, capabilities, new privileges, or a root file system to write to', async () => {
    for (const program of programs) {
      const status = await inside(program, 'cat', '/proc/1/status');
      expect(status).toMatch(/^Uid:\s+10001\s/m);
      for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'])
        expect(status).toMatch(new RegExp(`^${set}:\\s+0+$`, 'm'));
      expect(status).toMatch(/^NoNewPrivs:\s+1$/m);
      await expect(inside(program, 'touch', '/x')).rejects.toThrow(/Read-only/);
    }
    await expect(inside('h1', 'sh', '-c', 'echo x > /var/lib/skein-join/agent.token')).rejects.toThrow(
      /Read-only/,
    );
  });

  it('is over at once, without a word about failure, when it is typed again', async () => {
    const before = await Promise.all(programs.map((program) => container(program).getId()));
    await compose('up', '--wait');
    const ids = await compose('ps', '--quiet', '--no-trunc');
    expect(new Set(ids.trim().split('\n'))).toEqual(new Set(before));
  });

  it('lets skein work inside as well', async () => {
    const listed = await compose('exec', '-T', 'coordinator', 'skein', 'get', 'vm', '--output', 'name');
    expect(listed).toBe('vm/web1\nvm/web2\nvm/web3\n');
  });

  it('migrates a guest over the migration network', async () => {
    const { vm, host } = await busyHost();
    const { migration } = JSON.parse(await skein('vm', 'migrate', vm, '--output', 'json')) as {
      migration: { outcome: string; from: string; stateHashSource: string; stateHashTarget: string };
    };
    expect(migration).toMatchObject({ outcome: 'committed', from: host });
    expect(migration.stateHashTarget).toBe(migration.stateHashSource);
  });
});

describe('a cluster in containers that is broken', () => {
  it('restarts the guests of a container killed by hand elsewhere, once', async () => {
    const { host, vm, epoch } = await busyHost();
    await docker('kill', containerOf(host));
    await takenOver(vm, host, epoch);
    await docker('start', containerOf(host));
    await allWell();
    expect((await vms()).find(({ name }) => name === vm)?.epoch).toBe(epoch + 1);
  });

  it('tells of a network that is disconnected by hand, and finds it again at another address', async () => {
    const last = (await events()).at(-1)?.sequence ?? 0;
    const since = async (type: string) =>
      (await events()).find(
        (event) => event.sequence > last && event.type === type && event.subject === 'host/h2',
      );
    await docker('network', 'disconnect', `${project}_migration`, containerOf('h2'));
    const down = await eventually('link down', async () => (await since('host.link-down')) ?? false);
    expect(down.details).toMatchObject({ network: 'migration', to: null });
    await docker('network', 'connect', '--ip', '10.91.2.77', `${project}_migration`, containerOf('h2'));
    const up = await eventually('link up', async () => (await since('host.link-up')) ?? false);
    expect(up.details).toMatchObject({ network: 'migration', to: '10.91.2.77' });
    await settled();
    const guest = (await vms()).find(({ host }) => host !== 'h2');
    if (guest !== undefined) await skein('vm', 'migrate', guest.name, '--to', 'h2');
  });
});

describe('the profile monitoring', () => {
  const query = async (expression: string): Promise<string[]> => {
    const promtool = ['promtool', 'query', 'instant', 'http://127.0.0.1:9090', expression];
    return (await docker('exec', containerOf('prometheus'), ...promtool)).trim().split('\n').sort();
  };
  const readTargets = (wanted: readonly string[]) =>
    eventually(`${wanted.join(', ')} are read`, async () => {
      const lines = await query('up == 1');
      const found = lines.map((line) => /instance="([^"]+)"/.exec(line)?.[1]).sort();
      return JSON.stringify(found) === JSON.stringify([...wanted].sort()) && lines;
    });

  it('has a Prometheus without root and rights that reads every program, hosts as they come', async () => {
    await docker('build', '--quiet', '--tag', prometheusImage, 'compose/monitoring');
    await compose('--profile', 'monitoring', 'up', '--detach', '--wait', '--no-recreate', 'prometheus');
    await readTargets(programs);
    const status = await docker('exec', containerOf('prometheus'), 'cat', '/proc/1/status');
    expect(status).toMatch(/^Uid:\s+10001\s/m);
    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'])
      expect(status).toMatch(new RegExp(`^${set}:\\s+0+$`, 'm'));
    expect(status).toMatch(/^NoNewPrivs:\s+1$/m);
    await expect(docker('exec', containerOf('prometheus'), 'touch', '/x')).rejects.toThrow(/Read-only/);
    // It asks nobody for a password, so nobody but its own network namespace may come to it.
    const sockets = await docker('exec', containerOf('prometheus'), 'cat', '/proc/net/tcp', '/proc/net/tcp6');
    const listening = sockets.split('\n').filter((line) => /^\s*\d+: \S+ \S+ 0A /.test(line));
    // Docker's own resolver listens on 127.0.0.11 there.
    for (const line of listening) expect(line).toMatch(/^\s*\d+: [0-9A-F]{6}7F:/);

    await compose('up', '--detach', '--no-recreate', '--scale', 'host=1', 'host');
    const scaled = (await docker('inspect', '--format', '{{.Config.Hostname}}', containerOf('host'))).trim();
    await readTargets([...programs, scaled]);
    expect(await query('skein_network_up{network="guest-a"} == 1')).toHaveLength(4);
    await compose('up', '--detach', '--no-recreate', '--scale', 'host=0', 'host');
    const stateOf = async () => (await hosts()).find(({ name }) => name === scaled)?.state;
    await eventually('the host that was scaled away has failed', async () => (await stateOf()) === 'failed');
    await skein('host', 'remove', scaled);
    expect(await skein('get', 'host', '--output', 'name')).toBe('host/h1\nhost/h2\nhost/h3\n');
  }, 600_000);

  it('is no part of the cluster that skein sees', async () => {
    expect(await skein('get', 'host', '--output', 'name')).not.toContain('prometheus');
    await expect(skein('fault', 'kill', 'prometheus')).rejects.toThrow(/prometheus/);
    await expect(skein('link', 'show', 'prometheus', 'management')).rejects.toThrow(/prometheus/);
  });
});

itSurvivesFaults(cluster);
itKnowsWhoLostWhom(cluster);

describe('docker compose down', () => {
  it('leaves no container, no network and, with --volumes, no volume', async () => {
    await compose('--profile', 'monitoring', 'down');
    await compose('--profile', 'monitoring', 'down', '--volumes');
    const filter = `label=com.docker.compose.project=${project}`;
    for (const kind of ['container', 'network', 'volume'])
      expect(
        await docker(kind, 'ls', '--quiet', '--filter', filter, ...(kind === 'container' ? ['--all'] : [])),
      ).toBe('');
    expect(await volumes()).toEqual(volumesBefore);
  });
});
