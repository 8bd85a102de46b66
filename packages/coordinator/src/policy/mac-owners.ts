/**
 * Who may send with which MAC: the host with the highest epoch of the VM, by report or by what was last decided. The
 * switches obey it (design: safety, rule 4), so a host that is not heard keeps what it had.
 */
import type { MacOwner } from '@skein/shared';
import { isLiveCopy, type VmInventory } from './inventory.ts';

export function macOwners(vms: readonly VmInventory[]): MacOwner[] {
  return vms.flatMap((vm) => {
    const owner = ownerOf(vm);
    if (owner === null) return [];
    return vm.spec.machine.nics.map(({ mac, segment }) => ({ mac, segment, vm: vm.spec.id, ...owner }));
  });
}

function ownerOf(vm: VmInventory): Pick<MacOwner, 'host' | 'epoch'> | null {
  const { desired } = vm;
  let owner: Pick<MacOwner, 'host' | 'epoch'> | null =
    desired.host !== null && desired.epoch > 0 ? { host: desired.host, epoch: desired.epoch } : null;
  for (const { host, report } of vm.sightings) {
    if (!isLiveCopy(report)) continue;
    if (owner === null || report.epoch > owner.epoch) owner = { host, epoch: report.epoch };
  }
  return owner;
}
