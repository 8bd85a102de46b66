/** A cluster's metrics against what else is known: the guest's own counters, the API, a migration's record. */
import { readFileSync } from 'node:fs';
import { catalogue, type MetricJob } from '@skein/metrics';
import type { ChangeReply, OperationView } from '@skein/shared';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cluster, type Console } from '../support/cluster.ts';
import { hasPrometheus, Scrape } from '../support/scrape.ts';

interface AgentFile {
  readonly addresses: { readonly management: string };
  readonly managementAddress: string;
}

let cluster: Cluster;
let web1: Console;

beforeAll(async () => {
  cluster = await Cluster.start(2);
  web1 = await cluster.boot('web1', 'h1', '10.77.0.11');
  await cluster.boot('web2', 'h2', '10.77.0.12');
});
afterAll(() => cluster.close());

function scrape(name: string): Promise<Scrape> {
  const token = readFileSync(`${cluster.folder}/metrics.token`, 'utf8').trim();
  if (name === 'coordinator') return Scrape.of(`${cluster.url}/metrics`, token);
  const file = JSON.parse(readFileSync(cluster.process(name).configFile, 'utf8')) as AgentFile;
  const address = name === 'storage' ? file.managementAddress : file.addresses.management;
  return Scrape.of(`http://${address}:7130/metrics`, token);
}

const jobs: readonly [string, MetricJob][] = [
  ['coordinator', 'coordinator'],
  ['storage', 'storage'],
  ['h1', 'host'],
  ['h2', 'host'],
];

async function ended(reply: Promise<ChangeReply>): Promise<OperationView> {
  const { operation } = await reply;
  return cluster.eventually('it ended', async () => {
    const view = await cluster.operation(operation ?? '');
    return view.endedAtMs !== null && view;
  });
}

/** What the guest's own kernel counts. Source: proc(5), /proc/net/dev. */
async function guestCounters(console: Console) {
  const from = console.text.length;
  console.type('grep eth0 /proc/net/dev; echo counted\n');
  await console.until(/^counted/m, 15_000, from);
  const numbers =
    /eth0:\s*([\d ]+)/.exec(console.text.slice(from))?.[1]?.trim().split(/\s+/).map(Number) ?? [];
  return {
    receiveBytes: numbers[0],
    receiveFrames: numbers[1],
    transmitBytes: numbers[8],
    transmitFrames: numbers[9],
  };
}

/** Guest and host counted while no frame passed between the two readings. */
async function countBoth(): Promise<{ guest: Awaited<ReturnType<typeof guestCounters>>; host: Scrape }> {
  return cluster.eventually('the network is quiet for a moment', async () => {
    const guest = await guestCounters(web1);
    const host = await scrape('h1');
    const again = await guestCounters(web1);
    return JSON.stringify(again) === JSON.stringify(guest) && { guest, host };
  });
}

describe('metrics', () => {
  it.each(jobs)('of %s are those of the catalogue, each in its form', async (name, job) => {
    const { text } = await scrape(name);
    for (const metric of Object.values(catalogue[job])) {
      expect(text).toContain(`# HELP ${metric.name} ${metric.help}\n# TYPE ${metric.name} ${metric.type}\n`);
    }
    const ours = [...text.matchAll(/^# TYPE (skein_\S+)/gm)].map((match) => match[1]);
    expect(ours).toEqual(Object.values(catalogue[job]).map((metric) => metric.name));
  });

  it.skipIf(!hasPrometheus()).each(jobs)('of %s please promtool', async (name) => {
    expect((await scrape(name)).complaints()).toBe('');
  });

  it('of a VM’s network are what its guest’s kernel counts', async () => {
    const before = await countBoth();
    const from = web1.text.length;
    web1.type('ping -c 5 10.77.0.12 >/dev/null && echo pinged\n');
    await web1.until(/^pinged/m, 30_000, from);
    const after = await countBoth();
    for (const direction of ['transmit', 'receive'] as const) {
      const grown = (metric: string): number => {
        const labels = { name: 'web1', direction };
        return (after.host.value(metric, labels) ?? 0) - (before.host.value(metric, labels) ?? 0);
      };
      const frames = (after.guest[`${direction}Frames`] ?? 0) - (before.guest[`${direction}Frames`] ?? 0);
      const bytes = (after.guest[`${direction}Bytes`] ?? 0) - (before.guest[`${direction}Bytes`] ?? 0);
      expect(frames).toBeGreaterThanOrEqual(5);
      expect(grown('skein_vm_network_frames_total')).toBe(frames);
      expect(grown('skein_vm_network_bytes_total')).toBe(bytes);
    }
    expect(after.host.value('skein_uplink_frames_total', { direction: 'transmit' })).toBeGreaterThanOrEqual(
      5,
    );
    const other = await scrape('h2');
    expect(other.value('skein_uplink_frames_total', { direction: 'receive' })).toBeGreaterThanOrEqual(5);
  });

  it('of a VM’s CPU, memory and lease are those of the API and of a running guest', async () => {
    const first = await scrape('h1');
    const vm = await cluster.vm('web1');
    const labels = { vm: vm.id, name: 'web1' };
    expect(first.value('skein_vm_memory_bytes', labels)).toBe(128 * 2 ** 20);
    expect(first.value('skein_vm_epoch', labels)).toBe(vm.epoch);
    const remaining = first.value('skein_vm_lease_remaining_seconds', labels) ?? 0;
    expect(remaining).toBeGreaterThan(0);
    expect(remaining).toBeLessThan(1.5);
    const { capacity } = await cluster.host('h1');
    expect(first.value('skein_host_cpu_capacity_hertz')).toBe(capacity.cpuMhz * 1e6);
    expect(first.value('skein_host_memory_used_bytes')).toBe(128 * 2 ** 20);
    await web1.expectAlive();
    const second = await scrape('h1');
    const grown = (metric: string): number =>
      (second.value(metric, labels) ?? 0) - (first.value(metric, labels) ?? 0);
    expect(grown('skein_vm_steps_total')).toBeGreaterThan(0);
    expect(grown('skein_vm_busy_seconds_total')).toBeGreaterThan(0);
    expect(second.value('skein_vm_cpu_entitlement_hertz', labels)).toBeGreaterThan(0);
    expect(second.value('skein_lease_renewals_total', { outcome: 'granted' })).toBeGreaterThan(0);
    expect(second.value('skein_heartbeats_total', { outcome: 'granted' })).toBeGreaterThan(0);
    for (const peer of ['coordinator', 'storage', 'h2'])
      expect(second.value('skein_link_up', { peer })).toBe(1);
    expect(second.value('skein_network_up', { network: 'migration' })).toBe(1);
  });

  it('of a migration are those of its record, at both ends and at the coordinator', async () => {
    const { migration, state } = await ended(cluster.api('POST', '/vms/web1/migrate', { host: 'h2' }));
    expect(state).toBe('succeeded');
    const [source, target, coordinator, storage] = await Promise.all(
      ['h1', 'h2', 'coordinator', 'storage'].map(scrape),
    );
    const bytes = migration?.bytes;
    expect(source?.value('skein_migration_transferred_bytes_total', { direction: 'sent' })).toBe(bytes);
    expect(target?.value('skein_migration_transferred_bytes_total', { direction: 'received' })).toBe(bytes);
    expect(coordinator?.value('skein_migration_bytes_total', { outcome: 'committed' })).toBe(bytes);
    const downtime = coordinator?.value('skein_migration_downtime_seconds_sum') ?? 0;
    expect(downtime * 1000).toBeCloseTo(migration?.downtimeMs ?? 0, 6);
    expect(storage?.value('skein_lease_requests_total', { type: 'pass', outcome: 'granted' })).toBe(1);
    expect(source?.value('skein_migration_hash_mismatches_total')).toBe(0);
    // Its series went with it.
    expect(source?.text).not.toContain('name="web1"');
    expect(target?.value('skein_vm_epoch', { name: 'web1' })).toBe(migration?.epochAfter);
  });

  it('tell that the storage service is silent, that guests froze, and that they go on', async () => {
    cluster.signal('storage', 'SIGSTOP');
    await cluster.eventually('both froze, and nobody answers', async () => {
      const found = await scrape('h2');
      return (
        // A machine that is busy may have frozen one before.
        (found.value('skein_vm_freezes_total') ?? 0) >= 2 &&
        (found.value('skein_lease_renewals_total', { outcome: 'unanswered' }) ?? 0) > 0
      );
    });
    const frozen = await scrape('h2');
    expect(frozen.value('skein_host_vms', { state: 'frozen' })).toBe(2);
    expect(frozen.value('skein_vm_lease_remaining_seconds', { name: 'web1' })).toBe(0);
    cluster.signal('storage', 'SIGCONT');
    await cluster.eventually(
      'they run',
      async () => (await scrape('h2')).value('skein_host_vms', { state: 'running' }) === 2,
    );
    const thawed = await scrape('h2');
    expect(thawed.value('skein_vm_fences_total')).toBe(0);
  });

  it('of a VM are gone with it', async () => {
    await ended(cluster.api('POST', '/vms/web2/stop'));
    expect((await scrape('h2')).text).not.toContain('name="web2"');
    expect((await scrape('coordinator')).value('skein_vms', { state: 'stopped' })).toBe(1);
    expect((await scrape('storage')).value('skein_leases', { state: 'free' })).toBe(1);
  });
});
