/** A cluster file: what a cluster shall hold, in one YAML. Its VMs are written as the API takes them. */
import { z } from 'zod';
import { Segment } from '../model/network.ts';
import { CreateVmRequest } from '../protocol/api.ts';
import { GivenMigrationLimits } from './migration-limits.ts';

export const ClusterFile = z
  .strictObject({
    /** Added to those of the coordinator's own configuration. */
    segments: z.array(Segment).max(1024).default([]),
    vms: z
      .array(CreateVmRequest.omit({ start: true }))
      .max(4096)
      .default([]),
    ...GivenMigrationLimits.shape,
  })
  .superRefine(({ vms }, context) => {
    const names = new Map<string, number>();
    const addresses = new Map<string, string>();
    for (const [index, { name, nics, cpu }] of vms.entries()) {
      if (names.has(name)) {
        const message = `there is a VM ${name} already, the ${(names.get(name) ?? 0) + 1}. of this list`;
        context.addIssue({ code: 'custom', path: ['vms', index, 'name'], message });
      }
      names.set(name, index);
      if (cpu.limitMhz !== undefined && cpu.limitMhz < cpu.reservationMhz) {
        const message = `must not be below the reservation of ${cpu.reservationMhz} MHz`;
        context.addIssue({ code: 'custom', path: ['vms', index, 'cpu', 'limitMhz'], message });
      }
      for (const [nic, { segment, address }] of nics.entries()) {
        if (address === undefined) continue;
        const key = `${segment}/${address.split('/')[0]}`;
        const other = addresses.get(key);
        addresses.set(key, name);
        if (other === undefined) continue;
        const message = `${other} has this address on ${segment} already`;
        context.addIssue({ code: 'custom', path: ['vms', index, 'nics', nic, 'address'], message });
      }
    }
  });
export type ClusterFile = z.infer<typeof ClusterFile>;
export type DeclaredVm = ClusterFile['vms'][number];
