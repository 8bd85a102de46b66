/**
 * The inventory as it stands: the store (spec, decisions, operations) joined with what agents and the storage
 * service said last. It makes the snapshots that policies read and turns what happens into events.
 */
import {
  type AgentStatus,
  type ClusterEvent,
  type HostIdentity,
  type HostName,
  type LeaseView,
  type LostPeer,
  type MigrationLimits,
  migrationLimitsDefaults,
  type NetworkChange,
  OperationError,
  recoveryMs,
  type Segment,
  type Timing,
  type VmId,
  type VmSpec,
} from '@skein/shared';
import { Changes } from './changes.ts';
import { type Host, toInventory } from './host.ts';
import { HostPairs } from './host-pairs.ts';
import { type EventText, networkChangeEvent, pairEvent } from './network-events.ts';
import { liveCopy } from './operations/operation.ts';
import { isWaitingForTurn, type OperationRecord } from './operations/record.ts';
import { hostLeaseOverMs, judgeHosts, leaseEvidence } from './policy/host-state.ts';
import type { Inventory, LeaseSight, Sighting, VmInventory } from './policy/inventory.ts';
import type { ActiveMigration } from './policy/migration-queue.ts';
import type { AgentLink } from './sessions/agents.ts';
import { HostLease } from './sessions/host-lease.ts';
import type { Store } from './store/store.ts';
import type { Desired } from './store/tables/desired.ts';

export interface WorldOptions {
  readonly store: Store;
  readonly segments: readonly Segment[];
  readonly timing: Timing;
  readonly migrationLimits?: MigrationLimits;
  readonly nowMs: () => number;
  readonly wallMs: () => number;
}

const noStatus: AgentStatus = { vms: [], silentPeers: [], usedMhz: 0, usedMemoryMib: 0 };
/** A host's refusal counts for so long; afterwards it may be asked again. */
const refusalMs = 5000;
const failedStartPauseMs = 2000;
const hourMs = 3_600_000;
/** This process stood still for so long: what the hosts sent meanwhile is unread, and no fault of theirs. */
const stallMs = 750;

export class World {
  readonly store: Store;
  readonly segments: readonly Segment[];
  readonly timing: Timing;
  readonly changes = new Changes();
  readonly hosts = new Map<HostName, Host>();
  /** How many of each type there were since this start. */
  readonly eventsByType = new Map<string, number>();
  readonly #options: WorldOptions;
  readonly #pairs: HostPairs;
  readonly #sights = new Map<VmId, LeaseSight>();
  readonly #decidedAtMs = new Map<VmId, number>();
  readonly #refusals = new Map<VmId, { host: HostName; reason: string; untilMs: number }[]>();
  readonly #restartsAtMs = new Map<VmId, number[]>();
  readonly #notBeforeMs = new Map<VmId, number>();
  #watchSinceMs: number;
  #judgedAtMs: number;
  #isAtomic = false;
  readonly #uponCommit: (() => void)[] = [];

  constructor(options: WorldOptions) {
    this.#options = options;
    this.store = options.store;
    this.segments = options.segments;
    this.timing = options.timing;
    this.#pairs = new HostPairs(options.timing);
    this.#watchSinceMs = options.nowMs();
    this.#judgedAtMs = this.#watchSinceMs;
    for (const identity of this.store.hosts.all()) this.#track(identity);
  }

  /** By name. */
  get hostList(): readonly Host[] {
    return [...this.hosts.values()].sort((a, b) => (a.identity.name < b.identity.name ? -1 : 1));
  }

  /** @throws OperationError host.not-found */
  host(name: HostName): Host {
    const host = this.hosts.get(name);
    if (host !== undefined) return host;
    throw new OperationError({ code: 'host.not-found', message: `there is no host ${name}` });
  }

  /** By name or id. @throws OperationError vm.not-found */
  vm(nameOrId: string): VmSpec {
    const spec = this.store.vms.byName(nameOrId) ?? this.store.vms.get(nameOrId);
    if (spec !== undefined) return spec;
    throw new OperationError({ code: 'vm.not-found', message: `there is no VM ${nameOrId}` });
  }

  /**
   * The newest registration wins only if the link of the one before is gone: two agents under one name would
   * answer for one host.
   * @throws OperationError name.taken
   */
  register(identity: HostIdentity, status: AgentStatus, link: AgentLink): void {
    const { name, bootId } = identity;
    const host = this.hosts.get(name) ?? this.#track(identity);
    const other = host.link !== null && host.link !== link && host.link.isOpen ? host.link : null;
    if (other !== null && host.identity.bootId !== bootId) {
      throw new OperationError({
        code: 'name.taken',
        message: `host ${name} is another agent at present (process ${host.identity.pid}): stop that one, or give this one a name of its own`,
      });
    }
    other?.close('the agent registered on a newer link');
    const isNews = host.link !== link;
    const isKnown = this.store.hosts.get(name)?.bootId === bootId;
    if (!isKnown) {
      host.startedAtMs = this.#options.nowMs();
      host.toldChange = 0;
    }
    host.lease.begin(bootId, this.#options.nowMs());
    host.link = link;
    host.identity = identity;
    this.setStatus(host, status);
    this.store.hosts.put(identity);
    if (isNews)
      this.event('host.registered', `host/${name}`, `${name} registered, process ${identity.pid}`, {
        bootId,
      });
  }

  /** Whoever asks has made sure that it is no host any more. */
  removeHost(name: HostName): void {
    this.store.hosts.delete(name);
    // What is in memory alone follows a change, and not one that is rolled back.
    this.#uponCommit.push(() => this.hosts.delete(name));
    this.event('host.removed', `host/${name}`, `${name} was removed: it is no host of this cluster any more`);
  }

  /** A change that is told twice, for its acknowledgement was lost, is one event. */
  networksChanged(name: HostName, changes: readonly NetworkChange[]): void {
    const host = this.host(name);
    for (const change of changes) {
      if (change.sequence <= host.toldChange) continue;
      host.toldChange = change.sequence;
      this.#tell(networkChangeEvent(name, change, this.#options.wallMs()));
    }
  }

  setStatus(host: Host, status: AgentStatus): void {
    host.status = status;
    host.statusAtMs = this.#options.nowMs();
    this.changes.notify();
  }

  linkClosed(name: HostName, link: AgentLink): void {
    const host = this.hosts.get(name);
    if (host?.link === link) host.link = null;
    this.changes.notify();
  }

  /** A reading of all leases, which speaks for the moment at which it was asked for. */
  noteLeases(leases: readonly LeaseView[], askedAtMs: number): void {
    const byVm = new Map(leases.map((lease) => [lease.vm, lease]));
    for (const { id } of this.store.vms.all()) {
      const before = this.#sights.get(id);
      const lease = byVm.get(id) ?? null;
      const hasGrown =
        before?.lease != null &&
        lease !== null &&
        (lease.epoch > before.lease.epoch || lease.counter > before.lease.counter);
      // At some moment since the reading before: the earliest possible one counts.
      const grewAfterMs = hasGrown ? before.readAtMs : (before?.grewAfterMs ?? null);
      this.#sights.set(id, { lease, readAtMs: askedAtMs, grewAfterMs });
    }
  }

  /** Draws the verdicts on all hosts anew; returns whether one changed. */
  judge(): boolean {
    const nowMs = this.#options.nowMs();
    if (nowMs - this.#judgedAtMs > stallMs) this.#watchSinceMs = nowMs;
    this.#judgedAtMs = nowMs;
    const evidence = this.hostList.map((host) => ({
      name: host.identity.name,
      isLinked: host.link?.isOpen === true,
      grantedAtMs: host.lease.grantedAtMs,
      leases: this.#leasesOf(host),
    }));
    const verdicts = judgeHosts(evidence, nowMs, this.#watchSinceMs, this.timing);
    let hasChanged = false;
    for (const [name, verdict] of verdicts) {
      const host = this.host(name);
      const from = host.verdict.state;
      // How long a silence has lasted changes all the time; why a host failed does not.
      if (from === verdict.state && verdict.state !== 'suspect') continue;
      host.verdict = verdict;
      if (from === verdict.state) continue;
      hasChanged = true;
      this.#verdictChanged(host, from);
    }
    for (const pair of this.#pairs.judge(this.hostList, nowMs)) this.#tell(pairEvent(pair));
    return hasChanged;
  }

  /** Whom a host and its peers have lost. */
  lostPeersOf(name: HostName): LostPeer[] {
    return this.#pairs.lostBy(name, this.#options.nowMs(), this.#options.wallMs());
  }

  /** A lease granted by the coordinator before this one may run until then (safety: rule 6). */
  get mayTakeOver(): boolean {
    const waitMs = Math.max(
      recoveryMs(this.timing.hostLeaseTtlMs, this.timing),
      recoveryMs(this.timing.vmLeaseTtlMs, this.timing),
    );
    return this.#options.nowMs() >= this.#watchSinceMs + waitMs;
  }

  inventory(): Inventory {
    const nowMs = this.#options.nowMs();
    const byVm = new Map<VmId, Sighting[]>();
    for (const { identity, status } of this.hosts.values()) {
      for (const report of status.vms) {
        const sightings = byVm.get(report.vm) ?? [];
        sightings.push({ host: identity.name, report });
        byVm.set(report.vm, sightings);
      }
    }
    const vms = [...this.store.vms.all()].map((spec) => this.#vm(spec, byVm.get(spec.id) ?? [], nowMs));
    const strangers = [...byVm.entries()]
      .filter(([vm]) => this.store.vms.get(vm) === undefined)
      .flatMap(([vm, sightings]) =>
        sightings.map((sighting) => ({ ...sighting, isDeleted: this.store.deletedVms.has(vm) })),
      );
    return {
      nowMs,
      hosts: this.hostList.map((host) =>
        toInventory(host, this.store.hosts.isInMaintenance(host.identity.name)),
      ),
      vms,
      segments: this.segments,
      strangers,
      pairs: this.#pairs.all,
      migrations: this.store.operations.active().flatMap((record) => toMigration(record) ?? []),
      migrationLimits: this.#options.migrationLimits ?? migrationLimitsDefaults,
    };
  }

  /** The newest copy of a VM that can be asked now. */
  copyOf(id: VmId): Sighting | null {
    const inventory = this.inventory();
    const vm = inventory.vms.find(({ spec }) => spec.id === id);
    return vm === undefined ? null : liveCopy({ vm, inventory });
  }

  /** All of it or nothing, durable when it returns; an inner call joins the outer one. */
  atomically<T>(change: () => T): T {
    if (this.#isAtomic) return change();
    this.#isAtomic = true;
    try {
      const result = this.store.transaction(change);
      for (const settle of this.#uponCommit) settle();
      return result;
    } finally {
      this.#uponCommit.splice(0);
      this.#isAtomic = false;
    }
  }

  decide(vm: VmId, change: Partial<Omit<Desired, 'vm'>>): void {
    const before = this.store.desired.get(vm);
    // Epochs only grow.
    const epoch = Math.max(before.epoch, change.epoch ?? 0);
    const next = { ...before, ...change, epoch };
    const hasMoved = next.host !== before.host || next.epoch !== before.epoch || next.halt !== before.halt;
    if (!hasMoved && next.waitingReason === before.waitingReason) return;
    this.store.desired.set(vm, next);
    if (hasMoved) this.#decidedAtMs.set(vm, this.#options.nowMs());
  }

  refused(vm: VmId, { host, reason }: { readonly host: HostName; readonly reason: string }): void {
    const refusals = (this.#refusals.get(vm) ?? []).filter((refusal) => refusal.host !== host);
    this.#refusals.set(vm, [...refusals, { host, reason, untilMs: this.#options.nowMs() + refusalMs }]);
  }

  startFailed(record: OperationRecord): void {
    const nowMs = this.#options.nowMs();
    this.#decidedAtMs.set(record.vm, nowMs);
    if (record.kind === 'vm-restart') this.#notBeforeMs.set(record.vm, nowMs + failedStartPauseMs);
  }

  /** Counts against what is tried within an hour. */
  restarted(vm: VmId): void {
    const nowMs = this.#options.nowMs();
    const times = (this.#restartsAtMs.get(vm) ?? []).filter((time) => nowMs - time < hourMs);
    this.#restartsAtMs.set(vm, [...times, nowMs]);
  }

  /** A person asked for it: what failed before is forgiven. */
  forgive(vm: VmId): void {
    this.#restartsAtMs.delete(vm);
    this.#notBeforeMs.delete(vm);
    this.#refusals.delete(vm);
  }

  event(type: string, subject: string, message: string, details: ClusterEvent['details'] = {}): void {
    this.store.events.append({ atMs: this.#options.wallMs(), type, subject, message, details });
    this.eventsByType.set(type, (this.eventsByType.get(type) ?? 0) + 1);
    this.changes.notify();
  }

  #tell({ type, subject, message, details }: EventText): void {
    this.event(type, subject, message, details);
  }

  #vm(spec: VmSpec, sightings: readonly Sighting[], nowMs: number): VmInventory {
    const { host, epoch, halt, waitingReason } = this.store.desired.get(spec.id);
    const decidedAtMs = this.#decidedAtMs.get(spec.id) ?? this.#watchSinceMs;
    const operation = this.store.operations.activeOf(spec.id);
    const restarts = (this.#restartsAtMs.get(spec.id) ?? []).filter((time) => nowMs - time < hourMs).length;
    return {
      spec,
      desired: { host, epoch, halt, waitingReason, decidedAtMs },
      sightings,
      operation:
        operation === undefined
          ? null
          : {
              id: operation.id,
              kind: operation.kind,
              host: operation.host,
              targetHost: operation.targetHost,
              isWaiting: isWaitingForTurn(operation),
            },
      refusals: (this.#refusals.get(spec.id) ?? []).filter(({ untilMs }) => untilMs > nowMs),
      restarts,
      notBeforeMs: this.#notBeforeMs.get(spec.id) ?? 0,
    };
  }

  #leasesOf(host: Host): ReturnType<typeof leaseEvidence> {
    const { name } = host.identity;
    const vms = new Set(host.status.vms.filter(({ state }) => state !== 'stopped').map(({ vm }) => vm));
    for (const { id } of this.store.vms.all()) if (this.store.desired.get(id).host === name) vms.add(id);
    const sights = [...vms].map((vm) => this.#sights.get(vm) ?? null);
    return leaseEvidence(name, sights, hostLeaseOverMs(host.lease, this.#watchSinceMs, this.timing));
  }

  #verdictChanged(host: Host, from: string): void {
    const { name } = host.identity;
    const { state, reason } = host.verdict;
    const wallMs = this.#options.wallMs();
    const silentMs = this.#options.nowMs() - host.lease.grantedAtMs;
    host.connectedSinceMs = state === 'connected' ? this.#options.nowMs() : null;
    if (from === 'connected') {
      host.moments.suspectedAtMs = wallMs;
      host.moments.heardAtMs = Math.round(wallMs - silentMs);
    }
    if (state === 'failed') {
      host.moments.failedAtMs = wallMs;
      // What it said of its VMs is no longer so.
      host.status = noStatus;
      host.statusAtMs = null;
    }
    const message = `${name} is ${state}${reason === null ? '' : `: ${reason}`}`;
    this.event(`host.${state}`, `host/${name}`, message, { from, lastHeartbeatAtMs: host.moments.heardAtMs });
  }

  #track(identity: HostIdentity): Host {
    const host: Host = {
      identity,
      link: null,
      lease: new HostLease(this.timing, this.#options.nowMs()),
      status: noStatus,
      statusAtMs: null,
      verdict: { state: 'suspect', reason: 'it has not registered yet' },
      startedAtMs: null,
      connectedSinceMs: null,
      toldChange: 0,
      moments: { heardAtMs: null, suspectedAtMs: null, failedAtMs: null },
    };
    this.hosts.set(identity.name, host);
    return host;
  }
}

/** Null where it is another kind of operation. */
function toMigration(record: OperationRecord): ActiveMigration | null {
  const { kind, id: operation, vmName, host: source, targetHost: target } = record;
  if (kind !== 'vm-migrate' || source === null || target === null) return null;
  return { operation, vmName, source, target, isWaiting: isWaitingForTurn(record) };
}
