/** Hosts and VMs as the API shows them: spec, decision and reports joined into what a person wants to know. */
import type { HostView, VmView } from '@skein/shared';
import type { Host } from '../host.ts';
import { isReachable, liveCopy } from '../operations/operation.ts';
import { type Inventory, isPresent, type VmInventory } from '../policy/inventory.ts';
import type { World } from '../world.ts';

export function vmView(vm: VmInventory, inventory: Inventory): VmView {
  const { spec, desired, operation } = vm;
  const copy = liveCopy({ vm, inventory });
  const host = copy?.host ?? desired.host;
  // The last that was heard, even if its host is silent now.
  const report = copy?.report ?? vm.sightings.find((sighting) => sighting.host === host)?.report ?? null;
  const { state, reason } = stateOf(vm, inventory);
  return {
    id: spec.id,
    name: spec.name,
    spec,
    state,
    host,
    epoch: report?.epoch ?? (desired.epoch === 0 ? null : desired.epoch),
    reason: reason?.slice(0, 4000) ?? null,
    operation: operation?.id ?? null,
    kernel: report?.kernel ?? null,
    firstStepMs: report?.firstStepMs ?? null,
    readyMs: report?.readyMs ?? null,
    startedFrom: report?.startedFrom ?? null,
    usedMhz: copy?.report.usedMhz ?? 0,
  };
}

export function hostView(world: World, host: Host, vms: readonly VmInventory[]): HostView {
  const { identity, verdict, status, link } = host;
  const { name, capacity, addresses, machineVersion } = identity;
  const isConnected = link?.isOpen === true;
  return {
    name,
    state: verdict.state,
    reason: verdict.reason,
    isInMaintenance: world.store.hosts.isInMaintenance(name),
    pid: isConnected ? identity.pid : null,
    bootId: isConnected ? identity.bootId : null,
    capacity,
    usedMemoryMib: status.usedMemoryMib,
    usedMhz: status.usedMhz,
    vms: vms.filter((vm) => vm.sightings.some((seen) => seen.host === name && isPresent(seen.report))).length,
    addresses,
    machineVersion,
    lostPeers: world.lostPeersOf(name),
  };
}

function stateOf(vm: VmInventory, inventory: Inventory): Pick<VmView, 'state'> & { reason: string | null } {
  const { desired, operation, spec } = vm;
  const copy = liveCopy({ vm, inventory });
  const waiting = desired.waitingReason;
  const isRunning = copy?.report.state === 'running';
  switch (operation?.kind) {
    case 'vm-migrate':
      // Nothing of it has begun.
      if (operation.isWaiting && isRunning) return { state: 'running', reason: waiting };
      return { state: 'migrating', reason: waiting };
    case 'vm-stop':
    case 'vm-delete':
      return { state: 'stopping', reason: waiting };
    case 'vm-start':
      return { state: 'starting', reason: waiting };
    case 'vm-restart':
      if (!isRunning) return { state: waiting === null ? 'starting' : 'waiting', reason: waiting };
      break;
    default:
  }
  if (copy !== null) return running(copy.report.state, copy.report.reason);
  if (spec.power === 'off') return off(vm, inventory);
  if (waiting !== null) return { state: 'waiting', reason: waiting };
  if (desired.host !== null && !isReachable(inventory, desired.host)) {
    const host = inventory.hosts.find(({ name }) => name === desired.host);
    return { state: 'unknown', reason: `${desired.host} is ${host?.state ?? 'gone'}: ${host?.reason ?? ''}` };
  }
  const ended = vm.sightings.find(({ host }) => host === desired.host)?.report;
  if (ended?.state === 'failed') return { state: 'failed', reason: ended.reason };
  return { state: 'waiting', reason: ended?.reason ?? 'it is about to be started' };
}

function running(state: string, reason: string | null): ReturnType<typeof stateOf> {
  switch (state) {
    case 'running':
      return { state: 'running', reason };
    case 'frozen':
      return { state: 'frozen', reason };
    case 'suspended':
      return { state: 'migrating', reason };
    default:
      return { state: 'starting', reason };
  }
}

function off({ sightings, desired }: VmInventory, inventory: Inventory): ReturnType<typeof stateOf> {
  const leaving = sightings.some(({ host, report }) => isPresent(report) && isReachable(inventory, host));
  if (leaving) return { state: 'stopping', reason: null };
  if (desired.host !== null && !isReachable(inventory, desired.host)) {
    return { state: 'unknown', reason: `${desired.host} cannot be asked whether it still runs there` };
  }
  const ended = sightings.find(({ report }) => report.epoch === desired.epoch && report.state === 'stopped');
  return { state: 'stopped', reason: ended?.report.reason ?? null };
}
