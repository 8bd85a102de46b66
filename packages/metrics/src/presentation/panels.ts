/** What the dashboard shows, row by row. How Grafana wants it written is dashboard.ts's business. */
import { coordinatorMetrics as cluster } from '../catalogue/coordinator.ts';
import { hostMetrics as host } from '../catalogue/host.ts';
import { libraryMetrics as library } from '../catalogue/library.ts';
import { storageMetrics as storage } from '../catalogue/storage.ts';
import { countInRange, mean, quantile, rate, series, sum } from './query.ts';

export interface Panel {
  readonly title: string;
  /** As Grafana names it. */
  readonly kind: 'timeseries' | 'stat';
  /** Grafana's unit: `s`, `bytes`, `Bps`, `hertz`, `percentunit`, `short`, `ops`, `pps`. */
  readonly unit: string;
  readonly queries: readonly { readonly expression: string; readonly legend: string }[];
  readonly description?: string;
}

export interface Row {
  readonly title: string;
  readonly panels: readonly Panel[];
}

const onHost = 'host=~"$host"';
const ofVm = [onHost, 'name=~"$vm"'] as const;
const up = { name: 'up' } as const;

export const rows: readonly Row[] = [
  {
    title: 'Cluster',
    panels: [
      {
        title: 'Hosts',
        kind: 'stat',
        unit: 'short',
        queries: [{ expression: series(cluster.hosts), legend: '{{state}}' }],
      },
      {
        title: 'VMs',
        kind: 'stat',
        unit: 'short',
        queries: [{ expression: `${series(cluster.vms)} > 0`, legend: '{{state}}' }],
      },
      {
        title: 'Programs that can be read',
        kind: 'stat',
        unit: 'short',
        queries: [{ expression: `count by (job) (${up.name} == 1)`, legend: '{{job}}' }],
      },
      {
        title: 'CPU of the hosts',
        kind: 'timeseries',
        unit: 'hertz',
        description: 'Steps a second that guests execute, and that the hosts have for them.',
        queries: [
          { expression: sum(['host'], rate(host.vmSteps, onHost)), legend: '{{host}}' },
          { expression: sum([], series(host.cpuCapacity, onHost)), legend: 'capacity' },
        ],
      },
      {
        title: 'Memory of the hosts',
        kind: 'timeseries',
        unit: 'bytes',
        queries: [
          { expression: series(host.memoryUsed, onHost), legend: '{{host}}' },
          { expression: sum([], series(host.memoryCapacity, onHost)), legend: 'capacity' },
        ],
      },
      {
        title: 'Events',
        kind: 'timeseries',
        unit: 'short',
        queries: [
          {
            expression: sum(['type'], `increase(${series(cluster.events)}[$__rate_interval])`),
            legend: '{{type}}',
          },
        ],
      },
    ],
  },
  {
    title: 'VMs',
    panels: [
      {
        title: 'CPU',
        kind: 'timeseries',
        unit: 'hertz',
        queries: [{ expression: rate(host.vmSteps, ...ofVm), legend: '{{name}} on {{host}}' }],
      },
      {
        title: 'Ready time',
        kind: 'timeseries',
        unit: 'percentunit',
        description: 'Share of the time in which a guest wanted to run and its CPU budget did not let it.',
        queries: [{ expression: rate(host.vmReady, ...ofVm), legend: '{{name}}' }],
      },
      {
        title: 'Entitlement and demand',
        kind: 'timeseries',
        unit: 'hertz',
        queries: [
          { expression: series(host.vmEntitlement, ...ofVm), legend: '{{name}} entitled' },
          { expression: series(host.vmDemand, ...ofVm), legend: '{{name}} wants' },
        ],
      },
      {
        title: 'Network',
        kind: 'timeseries',
        unit: 'Bps',
        queries: [{ expression: rate(host.vmBytes, ...ofVm), legend: '{{name}} {{direction}}' }],
      },
      {
        title: 'Frames dropped',
        kind: 'timeseries',
        unit: 'pps',
        queries: [{ expression: rate(host.vmDrops, ...ofVm), legend: '{{name}} {{reason}}' }],
      },
      {
        title: 'Lease remaining',
        kind: 'timeseries',
        unit: 's',
        description: 'How long a VM may still run without a renewal. It stands still at 0.',
        queries: [{ expression: series(host.vmLeaseRemaining, ...ofVm), legend: '{{name}}' }],
      },
    ],
  },
  {
    title: 'Migration and failover',
    panels: [
      {
        title: 'Downtime of migrations',
        kind: 'timeseries',
        unit: 's',
        queries: [
          { expression: quantile(0.5, cluster.migrationDowntime), legend: 'median' },
          { expression: quantile(0.95, cluster.migrationDowntime), legend: '95 %' },
        ],
      },
      {
        title: 'Bytes moved by migrations',
        kind: 'timeseries',
        unit: 'Bps',
        queries: [{ expression: rate(host.transferredBytes, onHost), legend: '{{host}} {{direction}}' }],
      },
      {
        title: 'Phases of failovers, mean',
        kind: 'timeseries',
        unit: 's',
        queries: [{ expression: mean(cluster.failover, ['phase']), legend: '{{phase}}' }],
      },
      {
        title: 'Operations that ended',
        kind: 'stat',
        unit: 'short',
        queries: [
          {
            expression: `${countInRange(cluster.operationDuration, ['kind', 'outcome'])} > 0`,
            legend: '{{kind}} {{outcome}}',
          },
        ],
      },
      {
        title: 'Operations at work, migrations running',
        kind: 'timeseries',
        unit: 'short',
        queries: [
          { expression: series(cluster.operationsActive), legend: '{{kind}}' },
          { expression: series(host.migrationsRunning, onHost), legend: '{{host}} as {{side}}' },
        ],
      },
      {
        title: 'Freezes and fences',
        kind: 'timeseries',
        unit: 'short',
        queries: [
          { expression: series(host.freezes, onHost), legend: '{{host}} freezes' },
          { expression: series(host.fences, onHost), legend: '{{host}} fences' },
        ],
      },
    ],
  },
  {
    title: 'Leases and liveness',
    panels: [
      {
        title: 'Lateness of heartbeats, 99 %',
        kind: 'timeseries',
        unit: 's',
        queries: [
          { expression: quantile(0.99, cluster.heartbeatLateness, ['host'], onHost), legend: '{{host}}' },
        ],
      },
      {
        title: 'Age of the last heartbeat',
        kind: 'timeseries',
        unit: 's',
        queries: [{ expression: series(cluster.heartbeatAge, onHost), legend: '{{host}}' }],
      },
      {
        title: 'Wait for a renewal, mean',
        kind: 'timeseries',
        unit: 's',
        queries: [
          {
            expression: `${sum(['host'], rate(host.leaseRenewalWait, onHost))} / ${sum(['host'], rate(host.leaseRenewals, onHost, 'outcome="granted"'))}`,
            legend: '{{host}}',
          },
        ],
      },
      {
        title: 'Lease requests',
        kind: 'timeseries',
        unit: 'ops',
        queries: [
          { expression: sum(['type', 'outcome'], rate(storage.requests)), legend: '{{type}} {{outcome}}' },
        ],
      },
      {
        title: 'fdatasync of the lease log',
        kind: 'timeseries',
        unit: 's',
        queries: [
          { expression: quantile(0.5, storage.sync), legend: 'median' },
          { expression: quantile(0.99, storage.sync), legend: '99 %' },
        ],
      },
      {
        title: 'VM leases',
        kind: 'stat',
        unit: 'short',
        queries: [{ expression: series(storage.leases), legend: '{{state}}' }],
      },
    ],
  },
  {
    title: 'Networks',
    panels: [
      {
        title: 'Uplinks',
        kind: 'timeseries',
        unit: 'Bps',
        queries: [{ expression: rate(host.uplinkBytes, onHost), legend: '{{host}} {{direction}}' }],
      },
      {
        title: 'Frames refused at uplinks',
        kind: 'timeseries',
        unit: 'pps',
        queries: [{ expression: `${rate(host.uplinkDrops, onHost)} > 0`, legend: '{{host}} {{reason}}' }],
      },
      {
        title: 'Links and networks that are down',
        kind: 'timeseries',
        unit: 'short',
        queries: [
          { expression: `1 - ${series(host.linkUp, onHost)}`, legend: '{{host}} to {{peer}}' },
          { expression: `1 - ${series(host.networkUp, onHost)}`, legend: '{{host}} on {{network}}' },
        ],
      },
    ],
  },
  {
    title: 'Programs',
    panels: [
      {
        title: 'API requests',
        kind: 'timeseries',
        unit: 'ops',
        queries: [
          { expression: sum(['route', 'status'], rate(cluster.apiRequests)), legend: '{{route}} {{status}}' },
        ],
      },
      {
        title: 'API latency, 99 %',
        kind: 'timeseries',
        unit: 's',
        queries: [{ expression: quantile(0.99, cluster.apiLatency, ['route']), legend: '{{route}}' }],
      },
      {
        title: 'Event loop lag, 99 %',
        kind: 'timeseries',
        unit: 's',
        queries: [{ expression: library.eventLoopLag.name, legend: '{{instance}}' }],
      },
      {
        title: 'CPU of the programs',
        kind: 'timeseries',
        unit: 'percentunit',
        queries: [
          { expression: `rate(${library.processCpu.name}[$__rate_interval])`, legend: '{{instance}}' },
        ],
      },
      {
        title: 'Memory of the programs',
        kind: 'timeseries',
        unit: 'bytes',
        queries: [{ expression: library.processMemory.name, legend: '{{instance}}' }],
      },
    ],
  },
];
