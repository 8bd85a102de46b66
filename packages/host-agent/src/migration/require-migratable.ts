/** What keeps a VM from leaving the host that it is on, as that host sees it. */
import { type Epoch, OperationError } from '@skein/shared';
import type { HostedVm } from '../vm/hosted-vm.ts';

/**
 * `epoch`: at which the VM is meant.
 * @throws OperationError epoch.stale, vm.busy, vm.wrong-state
 */
export function requireMigratable(
  vm: Pick<HostedVm, 'name' | 'epoch' | 'isMigrating' | 'missingPages' | 'state'>,
  epoch: Epoch,
): void {
  if (vm.epoch !== epoch) {
    throw new OperationError({
      code: 'epoch.stale',
      message: `${vm.name} has epoch ${vm.epoch} here, not ${epoch}`,
    });
  }
  if (vm.isMigrating) {
    throw new OperationError({ code: 'vm.busy', message: `${vm.name} is being migrated already` });
  }
  if (vm.missingPages > 0) {
    throw new OperationError({
      code: 'vm.busy',
      message: `${vm.missingPages} pages of ${vm.name} are still at the host it came from`,
    });
  }
  if (vm.state !== 'running') {
    throw new OperationError({
      code: 'vm.wrong-state',
      message: `${vm.name} is ${vm.state}: only a running VM can be migrated`,
    });
  }
}
