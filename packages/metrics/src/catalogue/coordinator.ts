/** What the coordinator serves: the cluster as it sees it, what it does, and how it is spoken to. */
import type { MetricCatalogue } from '../definition.ts';

/** From a power-off to a migration over a slow link. */
const operationBuckets = [0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 30, 60, 300, 1800];
/** A budget of 300 ms is usual; what is far above was a stall. */
const downtimeBuckets = [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5];
/** Detection alone takes 1.7 s with the design's timing. */
const failoverBuckets = [0.1, 0.25, 0.5, 1, 1.5, 2, 2.5, 3, 4, 5, 10, 30, 60];
const requestBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5];
/** The period is 250 ms; a host is suspect after 750 ms. */
const latenessBuckets = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2];

const host = 'name of a host';
const kind = 'vm-start, vm-stop, vm-delete, vm-migrate, vm-restart';

export const coordinatorMetrics = {
  hosts: {
    name: 'skein_hosts',
    type: 'gauge',
    help: 'Hosts that the coordinator knows.',
    unit: null,
    labels: { state: 'connected, suspect, isolated, failed' },
  },
  hostState: {
    name: 'skein_host_state',
    type: 'gauge',
    help: 'Whether a host is in a state: 1 for one of its states, 0 for the others.',
    unit: null,
    labels: { host, state: 'connected, suspect, isolated, failed' },
  },
  heartbeatAge: {
    name: 'skein_host_heartbeat_age_seconds',
    type: 'gauge',
    help: 'Time since the last heartbeat of a host was heard; absent before the first.',
    unit: 'seconds',
    labels: { host },
  },
  heartbeatLateness: {
    name: 'skein_heartbeat_lateness_seconds',
    type: 'histogram',
    help: 'By how much more than the period a heartbeat of a host came after the one before.',
    unit: 'seconds',
    labels: { host },
    buckets: latenessBuckets,
  },
  vms: {
    name: 'skein_vms',
    type: 'gauge',
    help: 'VMs of the inventory.',
    unit: null,
    labels: { state: 'as `skein get vm` shows it: running, stopped, waiting, ...' },
  },
  operationsActive: {
    name: 'skein_operations_active',
    type: 'gauge',
    help: 'Operations that have not ended.',
    unit: null,
    labels: { kind },
  },
  operationDuration: {
    name: 'skein_operation_duration_seconds',
    type: 'histogram',
    help: 'Time from the creation of an operation to its end; its count is the number of operations that ended.',
    unit: 'seconds',
    labels: { kind, outcome: 'succeeded, failed' },
    buckets: operationBuckets,
  },
  migrationDuration: {
    name: 'skein_migration_duration_seconds',
    type: 'histogram',
    help: 'Time that the pages of a live migration were on their way, by its record.',
    unit: 'seconds',
    labels: { outcome: 'committed, aborted, unknown' },
    buckets: operationBuckets,
  },
  migrationDowntime: {
    name: 'skein_migration_downtime_seconds',
    type: 'histogram',
    help: 'From the suspension on the source to the permission to run on the target, of committed migrations.',
    unit: 'seconds',
    labels: {},
    buckets: downtimeBuckets,
  },
  migrationBytes: {
    name: 'skein_migration_bytes_total',
    type: 'counter',
    help: 'Bytes of pages that ended migrations sent, by their records.',
    unit: 'bytes',
    labels: { outcome: 'committed, aborted, unknown' },
  },
  failover: {
    name: 'skein_ha_failover_seconds',
    type: 'histogram',
    help: 'How long the phases of a failover took, for each VM that was restarted because its host failed.',
    unit: 'seconds',
    labels: {
      phase:
        'detection (last heartbeat to failed), start (failed to first step), total (last heartbeat to first step), ready (first step to the guest’s own word)',
    },
    buckets: failoverBuckets,
  },
  events: {
    name: 'skein_events_total',
    type: 'counter',
    help: 'Events since the coordinator started.',
    unit: null,
    labels: { type: 'as `skein get event` shows it: host.failed, host.link-down, vm.fenced, ...' },
  },
  apiRequests: {
    name: 'skein_api_requests_total',
    type: 'counter',
    help: 'Requests to the API.',
    unit: null,
    labels: { method: 'HTTP method', route: 'as in the OpenAPI document, or `none`', status: 'HTTP status' },
  },
  apiLatency: {
    name: 'skein_api_request_duration_seconds',
    type: 'histogram',
    help: 'Time to the answer of the API; of an event stream, to its beginning.',
    unit: 'seconds',
    labels: { route: 'as in the OpenAPI document, or `none`' },
    buckets: requestBuckets,
  },
} as const satisfies MetricCatalogue;
