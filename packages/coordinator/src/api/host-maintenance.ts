/** Begins or ends the maintenance of a host: nothing new comes to it meanwhile, and what runs there runs on. */
import type { HostName, HostView } from '@skein/shared';
import type { World } from '../world.ts';
import { hostView } from './views.ts';

/** Returns the host as it is then. @throws OperationError host.not-found */
export function setMaintenance(world: World, name: HostName, isOn: boolean): HostView {
  const host = world.host(name);
  const { hosts } = world.store;
  world.atomically(() => {
    if (hosts.isInMaintenance(name) === isOn) return;
    hosts.setMaintenance(name, isOn);
    const [type, message] = isOn
      ? ['host.maintenance-begun', `${name} is in maintenance: nothing is placed or migrated there`]
      : ['host.maintenance-ended', `${name} is out of maintenance`];
    world.event(type, `host/${name}`, message);
  });
  return hostView(world, host, world.inventory().vms);
}
