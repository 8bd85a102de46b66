/**
 * How loaded a host would be with a VM on it: the mean of its reserved shares of memory and CPU. Lower is better.
 * Omitted: measured demand; balancing by it comes with the balancer (design: cluster, Placement and balancing).
 */

import type { VmSpec } from '@skein/shared';
import { takenMemoryMib } from './filters.ts';
import type { HostInventory, Reservations } from './inventory.ts';

export function loadWith(spec: VmSpec, host: HostInventory, reservations: Reservations): number {
  const memoryMib = takenMemoryMib(host, spec, reservations) + spec.machine.memoryMib;
  const cpuMhz = reservations.on(host.name, spec.id).cpuMhz + spec.machine.cpu.reservationMhz;
  return (memoryMib / host.capacity.memoryMib + cpuMhz / host.capacity.cpuMhz) / 2;
}
