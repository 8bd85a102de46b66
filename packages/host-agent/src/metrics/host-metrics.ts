/**
 * A host's metrics: read at each scrape from the main thread's state and from counters in shared memory. No worker is
 * asked, so that a scrape disturbs no guest, no switch and no renewal.
 */
import { hostMetrics, MetricRegistry, type SetMetric } from '@skein/metrics';
import { FrameRing, Traffic } from '@skein/network';
import type { HostAddresses, NetworkKind, OwnAddresses } from '@skein/shared';
import type { Hypervisor } from '../hypervisor.ts';
import type { LeaseKeeper } from '../lease/lease-keeper.ts';
import type { MigrationService } from '../migration/migration-service.ts';
import type { PeerLinks } from '../network/peer-links.ts';
import type { SwitchHandle } from '../network/switch-handle.ts';
import type { HostedVm } from '../vm/hosted-vm.ts';

export interface HostParts {
  readonly hypervisor: Hypervisor;
  readonly migrations: MigrationService;
  readonly leases: LeaseKeeper;
  readonly network: SwitchHandle;
  readonly peers: PeerLinks;
  readonly isRegistered: () => boolean;
  /** Networks that this host is configured for, and its addresses on those that it has now. */
  readonly configured: OwnAddresses;
  readonly addresses: () => HostAddresses;
}

type SetHost = SetMetric<typeof hostMetrics>;

/** A million steps a second. */
const hertzPerMhz = 1e6;
const bytesPerMib = 1 << 20;

export function hostRegistry(parts: HostParts): MetricRegistry<typeof hostMetrics> {
  const registry = new MetricRegistry(hostMetrics);
  registry.onScrape((set) => {
    const nowNs = process.hrtime.bigint();
    setCapacity(set, parts.hypervisor);
    for (const vm of parts.hypervisor.present()) {
      setVm(set, vm, nowNs);
      setVmTraffic(set, vm);
    }
    setUplink(set, parts.network);
    setNetworks(set, parts);
    setLeases(set, parts, nowNs);
    setMigrations(set, parts.migrations);
  });
  return registry;
}

function setCapacity(set: SetHost, hypervisor: Hypervisor): void {
  const { cpuMhz, memoryMib } = hypervisor.capacity;
  set('cpuCapacity', {}, cpuMhz * hertzPerMhz);
  set('memoryCapacity', {}, memoryMib * bytesPerMib);
  set('memoryUsed', {}, hypervisor.usedMemoryMib * bytesPerMib);
  const states = new Map<string, number>([['running', 0]]);
  for (const { state } of hypervisor.present()) states.set(state, (states.get(state) ?? 0) + 1);
  for (const [state, vms] of states) set('vms', { state }, vms);
}

/** An incoming copy has no right to run yet, and one that is stopping none any more. */
const statesWithLease: ReadonlySet<string> = new Set(['starting', 'running', 'suspended', 'frozen']);

function setVm(set: SetHost, hosted: HostedVm, nowNs: bigint): void {
  const { name, epoch, state, machine, control, demandMhz } = hosted;
  const vm = { vm: hosted.vm, name };
  set('vmMemory', vm, machine.memoryMib * bytesPerMib);
  set('vmSteps', vm, Number(control.executedSteps));
  set('vmBusy', vm, seconds(control.busyNs));
  set('vmReady', vm, seconds(control.readyNs));
  set('vmDemand', vm, demandMhz * hertzPerMhz);
  set('vmEntitlement', vm, control.budgetStepsPerMs * 1000);
  set('vmEpoch', vm, epoch);
  if (!statesWithLease.has(state)) return;
  set('vmLeaseRemaining', vm, control.isAllowed(nowNs) ? seconds(control.deadlineNs - nowNs) : 0);
}

/** All vNICs of the VM together. */
function setVmTraffic(set: SetHost, { vm: id, name, runner }: HostedVm): void {
  const vm = { vm: id, name };
  const sum = { transmitFrames: 0, transmitBytes: 0, receiveFrames: 0, receiveBytes: 0 };
  const drops = new Map<string, number>();
  const addDrops = (reason: string, frames: number): void => {
    if (frames > 0) drops.set(reason, (drops.get(reason) ?? 0) + frames);
  };
  for (const { traffic, transmitRing } of runner?.nics ?? []) {
    const { in: fromGuest, out: toGuest, dropped } = new Traffic(traffic).counters();
    sum.transmitFrames += fromGuest.frames;
    sum.transmitBytes += fromGuest.bytes;
    sum.receiveFrames += toGuest.frames;
    sum.receiveBytes += toGuest.bytes;
    for (const [reason, frames] of Object.entries(dropped)) addDrops(reason, frames);
    addDrops('transmit-ring-full', FrameRing.attach(transmitRing).dropped);
  }
  set('vmFrames', { ...vm, direction: 'transmit' }, sum.transmitFrames);
  set('vmFrames', { ...vm, direction: 'receive' }, sum.receiveFrames);
  set('vmBytes', { ...vm, direction: 'transmit' }, sum.transmitBytes);
  set('vmBytes', { ...vm, direction: 'receive' }, sum.receiveBytes);
  for (const [reason, frames] of drops) set('vmDrops', { ...vm, reason }, frames);
}

function setUplink(set: SetHost, { uplinkTraffic, tunnelCounters, conflicts }: SwitchHandle): void {
  const { in: received, out: transmitted, dropped } = uplinkTraffic.counters();
  set('uplinkFrames', { direction: 'transmit' }, transmitted.frames);
  set('uplinkFrames', { direction: 'receive' }, received.frames);
  set('uplinkBytes', { direction: 'transmit' }, transmitted.bytes);
  set('uplinkBytes', { direction: 'receive' }, received.bytes);
  const { droppedFull, droppedByGuard, sendErrors, malformed } = tunnelCounters.readAll();
  const drops = {
    ...dropped,
    'tunnel-full': droppedFull,
    'tunnel-error': sendErrors,
    'lease-over': droppedByGuard,
    malformed,
  };
  for (const [reason, frames] of Object.entries(drops)) set('uplinkDrops', { reason }, frames);
  set('macConflicts', {}, conflicts);
}

function setNetworks(set: SetHost, { configured, addresses, isRegistered, leases, peers }: HostParts): void {
  const current = addresses();
  for (const network of Object.keys(configured) as NetworkKind[]) {
    set('networkUp', { network }, Number(current[network] !== undefined));
  }
  set('linkUp', { network: 'management', peer: 'coordinator' }, Number(isRegistered()));
  set('linkUp', { network: 'storage-a', peer: 'storage' }, Number(leases.isStorageConnected));
  for (const { host, network, isUp } of peers.status()) {
    set('linkUp', { network, peer: host }, Number(isUp));
  }
}

function setLeases(set: SetHost, { leases, hypervisor }: HostParts, nowNs: bigint): void {
  const figures = leases.figures.readAll();
  const remainingNs = figures.hostLeaseDeadlineNs - Number(nowNs);
  set('hostLeaseRemaining', {}, Math.max(0, remainingNs / 1e9));
  set('heartbeats', { outcome: 'granted' }, figures.heartbeatsGranted);
  set('heartbeats', { outcome: 'withheld' }, figures.heartbeatsWithheld);
  set('heartbeats', { outcome: 'unanswered' }, figures.heartbeatsUnanswered);
  set('leaseRenewals', { outcome: 'granted' }, figures.renewalsGranted);
  set('leaseRenewals', { outcome: 'refused' }, figures.renewalsRefused);
  set('leaseRenewals', { outcome: 'unanswered' }, figures.renewalsUnanswered);
  set('leaseRenewalWait', {}, figures.renewalWaitUs / 1e6);
  set('freezes', {}, hypervisor.tally.freezes);
  set('fences', {}, hypervisor.tally.fences);
}

function setMigrations(set: SetHost, migrations: MigrationService): void {
  for (const side of ['source', 'target'] as const)
    set('migrationsRunning', { side }, migrations.running(side));
  const { sentBytes, receivedBytes } = migrations.traffic.readAll();
  set('transferredBytes', { direction: 'sent' }, sentBytes);
  set('transferredBytes', { direction: 'received' }, receivedBytes);
  set('hashMismatches', {}, migrations.hashMismatches);
}

function seconds(ns: bigint): number {
  return Number(ns) / 1e9;
}
