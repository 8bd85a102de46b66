/** The coordinator's metrics: the inventory read at each scrape, and what happened, counted as it happens. */
import { coordinatorMetrics, MetricRegistry, type SetMetric } from '@skein/metrics';
import { type HostName, HostState, MigrationOutcome, OperationKind, VmView } from '@skein/shared';
import { vmView } from '../api/views.ts';
import type { OperationRecord } from '../operations/record.ts';
import type { World } from '../world.ts';
import { failoverPhaseNames, failoverPhases } from './failover-phases.ts';

type SetCluster = SetMetric<typeof coordinatorMetrics>;

export class CoordinatorMetrics {
  readonly registry = new MetricRegistry(coordinatorMetrics);

  /** Hosts whose heartbeats were timed. */
  readonly #timed = new Set<HostName>();

  constructor(world: World, nowMs: () => number) {
    this.#expectAll();
    this.registry.onScrape((set) => {
      this.#forgetRemoved(world);
      setHosts(set, world, nowMs());
      setVms(set, world);
      setOperations(set, world);
      for (const [type, events] of world.eventsByType) set('events', { type }, events);
    });
  }

  #expectAll(): void {
    for (const kind of OperationKind.options) {
      for (const outcome of ['succeeded', 'failed'])
        this.registry.expect('operationDuration', { kind, outcome });
    }
    for (const outcome of MigrationOutcome.options) {
      this.registry.expect('migrationDuration', { outcome });
      this.registry.expect('migrationBytes', { outcome });
    }
    for (const phase of failoverPhaseNames) this.registry.expect('failover', { phase });
  }

  /** `lateMs`: by how much more than the period it came after the one before. */
  heartbeat(host: HostName, lateMs: number): void {
    this.#timed.add(host);
    this.registry.observe('heartbeatLateness', { host }, Math.max(0, lateMs) / 1000);
  }

  #forgetRemoved(world: World): void {
    for (const host of this.#timed) {
      if (world.hosts.has(host)) continue;
      this.#timed.delete(host);
      this.registry.forget('heartbeatLateness', { host });
    }
  }

  operationEnded(record: OperationRecord): void {
    const { kind, state, createdAtMs, endedAtMs, migration, timeline } = record;
    const outcome = state === 'succeeded' ? 'succeeded' : 'failed';
    // Wall-clock times, which may be set back.
    const durationMs = Math.max(0, (endedAtMs ?? createdAtMs) - createdAtMs);
    this.registry.observe('operationDuration', { kind, outcome }, durationMs / 1000);
    if (migration !== null) {
      const labels = { outcome: migration.outcome };
      this.registry.observe('migrationDuration', labels, migration.totalMs / 1000);
      this.registry.count('migrationBytes', labels, migration.bytes);
      if (migration.outcome === 'committed')
        this.registry.observe('migrationDowntime', {}, migration.downtimeMs / 1000);
    }
    for (const [phase, ms] of Object.entries(failoverPhases(timeline))) {
      this.registry.observe('failover', { phase }, ms / 1000);
    }
  }

  request(method: string, route: string, status: number, durationMs: number): void {
    this.registry.count('apiRequests', { method, route, status: String(status) });
    this.registry.observe('apiLatency', { route }, durationMs / 1000);
  }
}

function setHosts(set: SetCluster, world: World, nowMs: number): void {
  const hosts = world.hostList;
  for (const state of HostState.options) {
    set('hosts', { state }, hosts.filter(({ verdict }) => verdict.state === state).length);
  }
  for (const { identity, verdict, lease } of hosts) {
    const host = identity.name;
    for (const state of HostState.options) set('hostState', { host, state }, Number(verdict.state === state));
    if (lease.heardAtMs !== null) set('heartbeatAge', { host }, Math.max(0, nowMs - lease.heardAtMs) / 1000);
  }
}

function setVms(set: SetCluster, world: World): void {
  const inventory = world.inventory();
  const states = inventory.vms.map((vm) => vmView(vm, inventory).state);
  for (const state of VmView.shape.state.options) {
    set('vms', { state }, states.filter((other) => other === state).length);
  }
}

function setOperations(set: SetCluster, world: World): void {
  const active = [...world.store.operations.active()];
  for (const kind of OperationKind.options) {
    set('operationsActive', { kind }, active.filter((operation) => operation.kind === kind).length);
  }
}
