/**
 * Which VMs must be started again after the loss of a host, an agent or a VM's thread, in which order, and where.
 * What no host can take waits with its reason and is decided anew at every change. Rules: SPEC.md, [HA-n].
 */
import type { HostName, Timing, VmId } from '@skein/shared';
import { awaitedHosts } from './gathering.ts';
import { findHost, type Inventory, isLiveCopy, Reservations, type VmInventory } from './inventory.ts';
import { compareNames, explain, place } from './placement.ts';

export type RestartDecision =
  | {
      readonly kind: 'restart';
      readonly vm: VmId;
      readonly from: HostName | null;
      readonly host: HostName;
      /** What was lost: its host, or the VM alone. */
      readonly cause: 'host' | 'vm';
      readonly reason: string;
    }
  | { readonly kind: 'wait'; readonly vm: VmId; readonly reason: string };

/** A VM that ends by itself is started again so often within an hour (design: cluster, HA). */
export const restartsPerHourMax = 5;

/** A host must have missed a VM in a status that is this much younger than the decision to put the VM there. */
export const missingMs = 1000;

interface Loss {
  readonly vm: VmInventory;
  readonly reason: string;
  /** The host is well; the VM alone ended. */
  readonly isHostWell: boolean;
}

export function planRestarts(
  inventory: Inventory,
  { gatherMs }: Pick<Timing, 'gatherMs'>,
): RestartDecision[] {
  const reservations = new Reservations(inventory);
  const awaited = awaitedHosts(inventory, gatherMs);
  const seconds = gatherMs / 1000;
  const whyNotYet =
    awaited.length === 0
      ? null
      : `all hosts have just started: ${awaited.join(', ')} may come back within ${seconds} s of the first`;
  return inventory.vms
    .flatMap((vm) => lossOf(vm, inventory) ?? [])
    .sort(inOrder)
    .map((loss) => decide(loss, inventory, reservations, whyNotYet));
}

function decide(
  loss: Loss,
  inventory: Inventory,
  reservations: Reservations,
  whyNotYet: string | null,
): RestartDecision {
  const { vm, reason, isHostWell } = loss;
  const { spec, desired } = vm;
  // Where it was it may start at once; elsewhere the hosts that are still on their way would be passed over.
  if (!isHostWell && whyNotYet !== null)
    return { kind: 'wait', vm: spec.id, reason: `${reason}; ${whyNotYet}` };
  if (isHostWell && vm.restarts >= restartsPerHourMax) {
    return {
      kind: 'wait',
      vm: spec.id,
      reason: `${reason}; restarted ${vm.restarts} times within the last hour, more is not tried`,
    };
  }
  if (inventory.nowMs < vm.notBeforeMs) {
    return { kind: 'wait', vm: spec.id, reason: desired.waitingReason ?? `${reason}; the last start failed` };
  }
  const wish = { spec, leaves: null, refusals: vm.refusals, preferred: isHostWell ? desired.host : null };
  const placement = place(inventory, wish, reservations);
  if (placement.kind === 'rejected') {
    return { kind: 'wait', vm: spec.id, reason: `${reason}; ${explain(spec.name, placement.reasons)}` };
  }
  reservations.reserve(placement.host, spec);
  return {
    kind: 'restart',
    vm: spec.id,
    from: desired.host,
    host: placement.host,
    cause: isHostWell ? 'vm' : 'host',
    reason: `${reason}; ${placement.reason}`,
  };
}

function lossOf(vm: VmInventory, inventory: Inventory): Loss | null {
  const { spec, desired, operation } = vm;
  if (spec.power !== 'on' || desired.halt !== null || operation !== null) return null;
  if (vm.sightings.some(({ host, report }) => isLiveCopy(report) && isTrusted(host, inventory))) return null;
  if (desired.host === null)
    return { vm, reason: 'it is wanted on and was placed nowhere', isHostWell: false };
  const host = findHost(inventory, desired.host);
  if (host === undefined || host.state === 'failed') {
    return { vm, reason: `host ${desired.host} failed`, isHostWell: false };
  }
  if (host.state !== 'connected' || !host.isReachable || host.statusAtMs === null) return null;
  const sighting = vm.sightings.find((candidate) => candidate.host === desired.host);
  if (sighting !== undefined) {
    const why = sighting.report.reason ?? 'no reason given';
    return { vm, reason: `it ended on ${desired.host}: ${why}`, isHostWell: true };
  }
  if (host.statusAtMs < desired.decidedAtMs + missingMs) return null;
  return { vm, reason: `${desired.host} does not have it any more`, isHostWell: true };
}

/** What a failed host last said of its VMs is no longer so. */
function isTrusted(name: HostName, inventory: Inventory): boolean {
  const host = findHost(inventory, name);
  return host !== undefined && host.state !== 'failed';
}

function inOrder(a: Loss, b: Loss): number {
  return (
    a.vm.spec.restartPriority - b.vm.spec.restartPriority ||
    b.vm.spec.machine.memoryMib - a.vm.spec.machine.memoryMib ||
    compareNames(a.vm.spec.name, b.vm.spec.name)
  );
}
