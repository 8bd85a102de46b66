/**
 * A client that we did not write: Prometheus, with the configuration of the profile `monitoring`, reads a cluster and
 * tells what goes wrong there.
 */
import { catalogue, type MetricJob, metricJobs } from '@skein/metrics';
import type { ChangeReply } from '@skein/shared';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cluster } from '../support/cluster.ts';
import { dashboardQueries } from '../support/dashboard.ts';
import { Prometheus } from '../support/prometheus.ts';
import { hasPrometheus } from '../support/scrape.ts';

let cluster: Cluster;
let prometheus: Prometheus;

interface Targets {
  readonly activeTargets: readonly {
    readonly health: string;
    readonly lastError: string;
    readonly labels: Readonly<Record<string, string>>;
  }[];
}

beforeAll(async () => {
  if (!hasPrometheus()) return;
  cluster = await Cluster.start(2);
  const network = new URL(cluster.url).hostname.replace(/\.1$/, '');
  prometheus = await Prometheus.start(`${network}.9:9090`, {
    'coordinator.management': `${network}.1`,
    'storage.management': `${network}.2`,
    '/var/lib/skein-metrics': cluster.folder,
  });
  // What has happened before the first reading is no increase to Prometheus.
  await allTargets();
  const web1 = await cluster.boot('web1', 'h1', '10.77.0.11');
  await cluster.boot('web2', 'h2', '10.77.0.12');
  const from = web1.text.length;
  web1.type('ping -c 5 10.77.0.12 >/dev/null && echo pinged\n');
  await web1.until(/^pinged/m, 30_000, from);
  await migrate('web1', 'h2');
  await migrate('web1', 'h1');
});
afterAll(async () => {
  await prometheus?.close();
  await cluster?.close();
});

async function migrate(vm: string, host: string): Promise<void> {
  const { operation } = await cluster.api<ChangeReply>('POST', `/vms/${vm}/migrate`, { host });
  await cluster.eventually('it ended', async () => {
    const { state } = await cluster.operation(operation ?? '');
    return state === 'succeeded';
  });
}

const eventually = <T>(what: string, look: () => Promise<T | false>): Promise<T> =>
  cluster.eventually(what, look, 60_000);

const allTargets = () =>
  eventually('all are read', async () => {
    const { activeTargets } = await prometheus.get<Targets>('targets');
    return (
      activeTargets.length === 4 && activeTargets.every(({ health }) => health === 'up') && activeTargets
    );
  });

describe.skipIf(!hasPrometheus())('Prometheus', () => {
  it('finds coordinator, storage service and every host, and reads them', async () => {
    const targets = await allTargets();
    expect(targets.map(({ labels }) => `${labels.job}/${labels.instance}`).sort()).toEqual([
      'coordinator/coordinator',
      'host/h1',
      'host/h2',
      'storage/storage',
    ]);
  });

  it.each(metricJobs.map((job) => [job] as const))(
    'knows every metric of %s by type and meaning',
    async (job: MetricJob) => {
      const known = await prometheus.get<Record<string, { type: string; help: string }[]>>('metadata');
      for (const { name, type, help } of Object.values(catalogue[job])) {
        expect(known[name], name).toEqual([{ type, help, unit: '' }]);
      }
    },
  );

  it('sees guests, their hosts and what they did', async () => {
    // What was scraped last may be of before the last migration.
    await eventually('both are where they are', async () => {
      const vms = await prometheus.query('skein_vm_lease_remaining_seconds > 0');
      const places = vms.map(({ labels }) => `${labels.name} on ${labels.host}`).sort();
      return places.join() === 'web1 on h1,web2 on h2';
    });
    const migrations = 'skein_operation_duration_seconds_count{kind="vm-migrate", outcome="succeeded"}';
    await eventually('two migrations', async () => (await prometheus.query(migrations))[0]?.value === 2);
    // Two scrapes with steps between them.
    await eventually(
      'steps a second',
      async () => (await prometheus.query('rate(skein_vm_steps_total[30s]) > 0')).length === 2,
    );
  });

  it('answers every query of the dashboard, and almost all with something', async () => {
    // Nothing was dropped and no host failed here.
    const mayBeEmpty = [
      'Frames dropped: {{name}} {{reason}}',
      'Frames refused at uplinks: {{host}} {{reason}}',
    ];
    let empty: string[] = [];
    const look = async (): Promise<boolean> => {
      empty = [];
      for (const { panel, legend, expression } of dashboardQueries(120)) {
        const name = `${panel}: ${legend}`;
        if (!mayBeEmpty.includes(name) && (await prometheus.query(expression)).length === 0) empty.push(name);
      }
      return empty.length === 0;
    };
    // A rate needs two readings of what has just begun.
    await eventually('every query is answered', look).catch(() => expect(empty).toEqual([]));
  });

  it('raises the alarm when a host fails, and ends it when it is back', async () => {
    const alerts = async (): Promise<string[]> => {
      const found = await prometheus.get<{ alerts: { state: string; labels: Record<string, string> }[] }>(
        'alerts',
      );
      return found.alerts
        .filter(({ state }) => state === 'firing')
        .map(({ labels }) => `${labels.alertname} ${labels.host ?? ''}`);
    };
    expect(await alerts()).not.toContain('HostFailed h2');
    await cluster.kill('h2');
    await eventually('it is told', async () => (await alerts()).includes('HostFailed h2'));
    const failovers = 'skein_ha_failover_seconds_count{phase="total"}';
    await eventually(
      'the failover is counted',
      async () => (await prometheus.query(failovers))[0]?.value === 1,
    );
    // The coordinator knows of the failure before the next reading of h2 is due.
    await eventually('h2 is unread', async () => (await prometheus.query('up{host="h2"}'))[0]?.value === 0);
    await cluster.restart('h2');
    await eventually('the alarm is over', async () => !(await alerts()).includes('HostFailed h2'));
  });
});
