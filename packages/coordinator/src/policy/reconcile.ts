/**
 * Spec, desired state and status of a VM against each other: what must be done so that they agree. Agents and leases
 * are the truth about what runs; the coordinator adopts what it finds, stops what nobody wants, and fences what is
 * stale. Rules: SPEC.md, [RC-n].
 */
import type { Epoch, HostName, VmId } from '@skein/shared';
import { type Inventory, isLiveCopy, type Sighting, type VmInventory } from './inventory.ts';

export type ReconcileDecision =
  /** It runs there, whatever was decided. */
  | {
      readonly kind: 'adopt';
      readonly vm: VmId;
      readonly host: HostName;
      readonly epoch: Epoch;
      readonly reason: string;
    }
  /** Nobody wants it to run. */
  | { readonly kind: 'stop'; readonly vm: VmId; readonly reason: string }
  /** A copy whose lease belongs to another, or of a VM that was deleted. */
  | {
      readonly kind: 'fence';
      readonly vm: VmId;
      readonly host: HostName;
      readonly epoch: Epoch;
      readonly reason: string;
    }
  /** The guest switched itself off: left alone until a person starts it. */
  | { readonly kind: 'halt'; readonly vm: VmId; readonly host: HostName; readonly reason: string };

/** How an agent words that a guest switched itself off (host-agent: HostedVm). */
export const guestPowerOff = 'the guest: power off';

export function reconcile(inventory: Inventory): ReconcileDecision[] {
  const reachable = new Set(inventory.hosts.filter((host) => host.isReachable).map(({ name }) => name));
  const decisions = inventory.vms.flatMap((vm) => reconcileVm(vm, reachable));
  for (const { host, report, isDeleted } of inventory.strangers) {
    if (!isDeleted || !isLiveCopy(report) || !reachable.has(host)) continue;
    decisions.push({
      kind: 'fence',
      vm: report.vm,
      host,
      epoch: report.epoch,
      reason: `${report.name} was deleted`,
    });
  }
  return decisions;
}

function reconcileVm(vm: VmInventory, reachable: ReadonlySet<HostName>): ReconcileDecision[] {
  // A migration has two copies by nature and its own end.
  if (vm.operation?.kind === 'vm-migrate' && !vm.operation.isWaiting) return [];
  const copies = vm.sightings.filter(({ host, report }) => isLiveCopy(report) && reachable.has(host));
  const current = newest(copies);
  const decisions: ReconcileDecision[] = [];
  for (const copy of copies) {
    const newestEpoch = Math.max(current?.report.epoch ?? 0, vm.desired.epoch);
    if (copy.report.epoch < newestEpoch && copy.report.state !== 'stopping') {
      decisions.push({
        kind: 'fence',
        vm: vm.spec.id,
        host: copy.host,
        epoch: copy.report.epoch,
        reason: `its copy of ${vm.spec.name} has epoch ${copy.report.epoch}, the newest is ${newestEpoch}`,
      });
    }
  }
  if (vm.operation !== null) return decisions;
  if (current !== null && current.report.epoch >= vm.desired.epoch) {
    decisions.push(...settle(vm, current));
  } else if (vm.spec.power === 'on' && vm.desired.halt === null) {
    decisions.push(...halted(vm));
  }
  return decisions;
}

function settle(vm: VmInventory, { host, report }: Sighting): ReconcileDecision[] {
  const { spec, desired } = vm;
  if (report.state === 'stopping') return [];
  if (spec.power === 'off') {
    return [{ kind: 'stop', vm: spec.id, reason: `it runs on ${host} and is wanted off` }];
  }
  if (desired.host === host && desired.epoch === report.epoch && desired.halt === null) return [];
  const reason = `it runs on ${host} with epoch ${report.epoch}`;
  return [{ kind: 'adopt', vm: spec.id, host, epoch: report.epoch, reason }];
}

function halted(vm: VmInventory): ReconcileDecision[] {
  const { spec, desired, sightings } = vm;
  const ended = sightings.find(
    ({ host, report }) =>
      host === desired.host &&
      report.epoch === desired.epoch &&
      report.state === 'stopped' &&
      report.reason === guestPowerOff,
  );
  if (ended === undefined) return [];
  return [{ kind: 'halt', vm: spec.id, host: ended.host, reason: 'the guest switched itself off' }];
}

function newest(copies: readonly Sighting[]): Sighting | null {
  let best: Sighting | null = null;
  for (const copy of copies) if (best === null || copy.report.epoch > best.report.epoch) best = copy;
  return best;
}
