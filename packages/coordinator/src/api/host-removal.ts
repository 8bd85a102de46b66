/** Forgets a host that left for good. Whatever it kept is over by then, so that nothing of it can run. */
import { type HostName, type HostView, OperationError } from '@skein/shared';
import type { VmInventory } from '../policy/inventory.ts';
import type { World } from '../world.ts';
import { hostView } from './views.ts';

/**
 * Should it come back, it registers as a new one. Returns it as it was.
 * @throws OperationError host.not-found, host.wrong-state
 */
export function removeHost(world: World, name: HostName): HostView {
  const host = world.host(name);
  const { vms } = world.inventory();
  const { state } = host.verdict;
  if (state !== 'failed') {
    const message = `${name} is ${state}: only a host that has failed can be removed; end its agent and wait until its leases are over`;
    throw new OperationError({ code: 'host.wrong-state', message });
  }
  const claimed = vms.filter((vm) => isClaimed(vm, name)).map(({ spec }) => spec.name);
  if (claimed.length > 0) {
    const message = `${name} is where ${claimed.join(', ')} ran last and is to be restarted from: add a host that can take it, or stop it`;
    throw new OperationError({ code: 'host.wrong-state', message, details: { vms: claimed } });
  }
  return world.atomically(() => {
    // A VM that is off is at home nowhere.
    for (const { spec, desired } of vms) if (desired.host === name) world.decide(spec.id, { host: null });
    const view = hostView(world, host, vms);
    world.removeHost(name);
    return view;
  });
}

function isClaimed({ spec, desired, operation }: VmInventory, host: HostName): boolean {
  if (operation?.host === host || operation?.targetHost === host) return true;
  return desired.host === host && spec.power === 'on';
}
