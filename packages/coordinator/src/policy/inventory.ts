/**
 * The snapshot that policies read: hosts, VMs and what is known of them at one moment. Nothing in it changes while a
 * policy thinks; a policy answers with decisions and reasons. Times are milliseconds of the coordinator's monotonic
 * clock.
 */
import type {
  Epoch,
  HostAddresses,
  HostCapacity,
  HostName,
  HostState,
  LeaseView,
  MachineVersion,
  MigrationLimits,
  OperationId,
  OperationKind,
  Segment,
  VmId,
  VmReport,
  VmSpec,
} from '@skein/shared';

import type { ActiveMigration } from './migration-queue.ts';
import type { Pair } from './pairs.ts';

export interface HostInventory {
  readonly name: HostName;
  readonly state: HostState;
  readonly reason: string | null;
  /** When its present process registered first; null: it ran already when this coordinator began to watch. */
  readonly startedAtMs: number | null;
  /** The last heartbeat of its present or last process; null: none since this coordinator began to watch. */
  readonly heardAtMs: number | null;
  /** Nothing new may come there: a person said so. */
  readonly isInMaintenance: boolean;
  /** A guest moves between hosts of equal ones only. */
  readonly machineVersion: MachineVersion;
  /** A command can be sent to it now. */
  readonly isReachable: boolean;
  readonly capacity: HostCapacity;
  readonly addresses: HostAddresses;
  /** Whether its switch can be reached by the others. */
  readonly hasTunnel: boolean;
  /** As its agent reported last: also counts what this coordinator does not know. */
  readonly usedMemoryMib: number;
  /** When the last status came; null: none since this coordinator began to watch. */
  readonly statusAtMs: number | null;
}

/** A VM that ended without being asked to, and is left alone until a person starts it again. */
export interface Halt {
  readonly kind: 'stopped' | 'failed';
  readonly reason: string;
}

/** What was decided for a VM. */
export interface DesiredInventory {
  readonly host: HostName | null;
  /** Epoch of the last start or migration that is known to have succeeded. */
  readonly epoch: Epoch;
  readonly halt: Halt | null;
  readonly waitingReason: string | null;
  /** When it last changed; the begin of watching after a restart of the coordinator. */
  readonly decidedAtMs: number;
}

export interface Sighting {
  readonly host: HostName;
  readonly report: VmReport;
}

/** A lease as it was read. `grewAfterMs`: the earlier of the two reads between which it was last seen to grow. */
export interface LeaseSight {
  readonly lease: LeaseView | null;
  readonly readAtMs: number;
  readonly grewAfterMs: number | null;
}

export interface OperationInventory {
  readonly id: OperationId;
  readonly kind: OperationKind;
  readonly host: HostName | null;
  readonly targetHost: HostName | null;
  /** A migration whose turn has not come: nothing of it has begun. */
  readonly isWaiting: boolean;
}

export interface Refusal {
  readonly host: HostName;
  readonly reason: string;
}

export interface VmInventory {
  readonly spec: VmSpec;
  readonly desired: DesiredInventory;
  /** One for each host that reports it. */
  readonly sightings: readonly Sighting[];
  readonly operation: OperationInventory | null;
  /** Hosts that refused it lately, which is why they are not asked again at once. */
  readonly refusals: readonly Refusal[];
  /** Automatic restarts within the last hour. */
  readonly restarts: number;
  /** Nothing automatic before this time: the last attempt failed. */
  readonly notBeforeMs: number;
}

export interface Inventory {
  readonly nowMs: number;
  readonly hosts: readonly HostInventory[];
  readonly vms: readonly VmInventory[];
  readonly segments: readonly Segment[];
  /** Reports about VMs that are not in the inventory; `isDeleted`: they were, once. */
  /** Hosts that lost each other, or did of late. */
  readonly pairs: readonly Pair[];
  /** In the order in which they were asked for. */
  readonly migrations: readonly ActiveMigration[];
  readonly migrationLimits: MigrationLimits;
  readonly strangers: readonly (Sighting & { readonly isDeleted: boolean })[];
}

export interface Reserved {
  readonly memoryMib: number;
  readonly cpuMhz: number;
}

const nothing: Reserved = { memoryMib: 0, cpuMhz: 0 };

/** What is reserved on each host. A VM counts wherever it is, was decided to be, or is on its way to. */
export class Reservations {
  readonly #byHost = new Map<HostName, Map<VmId, Reserved>>();

  constructor(inventory: Inventory) {
    for (const vm of inventory.vms) for (const host of hostsOf(vm)) this.reserve(host, vm.spec);
  }

  reserve(host: HostName, spec: VmSpec): void {
    const vms = this.#byHost.get(host) ?? new Map<VmId, Reserved>();
    vms.set(spec.id, { memoryMib: spec.machine.memoryMib, cpuMhz: spec.machine.cpu.reservationMhz });
    this.#byHost.set(host, vms);
  }

  /** Without `except`: a VM does not stand in its own way. */
  on(host: HostName, except: VmId | null = null): Reserved {
    let { memoryMib, cpuMhz } = nothing;
    for (const [vm, reserved] of this.#byHost.get(host) ?? []) {
      if (vm === except) continue;
      memoryMib += reserved.memoryMib;
      cpuMhz += reserved.cpuMhz;
    }
    return { memoryMib, cpuMhz };
  }

  holds(host: HostName, vm: VmId): boolean {
    return this.#byHost.get(host)?.has(vm) ?? false;
  }

  vmsOn(host: HostName): number {
    return this.#byHost.get(host)?.size ?? 0;
  }
}

/** Hosts on which a VM's memory counts. */
export function hostsOf(vm: VmInventory): Set<HostName> {
  const hosts = new Set<HostName>();
  for (const { host, report } of vm.sightings) if (isPresent(report)) hosts.add(host);
  if (vm.desired.host !== null && vm.spec.power === 'on') hosts.add(vm.desired.host);
  if (vm.operation?.host) hosts.add(vm.operation.host);
  if (vm.operation?.targetHost) hosts.add(vm.operation.targetHost);
  return hosts;
}

/** Its memory is taken on that host; it may run. */
export function isPresent(report: VmReport): boolean {
  return report.state !== 'stopped';
}

/** It runs there, or would if its lease let it: not a copy that is still arriving, nor one that has ended. */
export function isLiveCopy(report: VmReport): boolean {
  return report.state !== 'stopped' && report.state !== 'failed' && report.state !== 'incoming';
}

export function findHost(inventory: Inventory, name: HostName): HostInventory | undefined {
  return inventory.hosts.find((host) => host.name === name);
}
