/** The REST API's requests; its objects are the views in model/. `/v1`, JSON, bearer token. */
import { z } from 'zod';
import { HostName, Name, OperationId } from '../ids.ts';
import { ImageReference } from '../model/guest-image.ts';
import { MigrationSettings } from '../model/migration.ts';
import { IpV4Interface } from '../model/network.ts';
import { MemoryMib, VmView } from '../model/vm.ts';

/** POST /v1/vms */
export const CreateVmRequest = z.strictObject({
  name: Name,
  memoryMib: MemoryMib.default(128),
  /** By a name the newest of that kind that the coordinator has; where none is given, of Debian's. */
  image: ImageReference.optional(),
  /** One vNIC on each named segment; addresses are the guest's own business and may be left out. */
  nics: z
    .array(z.strictObject({ segment: Name, address: IpV4Interface.optional() }))
    .max(8)
    .default([]),
  bootArguments: z.string().max(1024).default(''),
  cpu: z
    .strictObject({
      reservationMhz: z.int().min(0).default(0),
      limitMhz: z.int().min(1).optional(),
      shares: z.int().min(1).max(1_000_000).default(1000),
    })
    .prefault({}),
  restartPriority: z.int().min(1).max(5).default(3),
  /** Power it on at once, if wanted on this host. */
  start: z.boolean().default(true),
  host: HostName.optional(),
});
export type CreateVmRequest = z.infer<typeof CreateVmRequest>;

/** POST /v1/vms/{name}/start */
export const StartVmRequest = z.strictObject({ host: HostName.optional() });
export type StartVmRequest = z.infer<typeof StartVmRequest>;

/** POST /v1/vms/{name}/migrate */
export const MigrateVmRequest = MigrationSettings.extend({ host: HostName.optional() });
export type MigrateVmRequest = z.infer<typeof MigrateVmRequest>;

/** What a change answers: the operation to follow, null where nothing had to be done. */
export const ChangeReply = z.strictObject({ vm: VmView, operation: OperationId.nullable() });
export type ChangeReply = z.infer<typeof ChangeReply>;

/** GET /v1/cluster */
export const ClusterInfo = z.strictObject({
  cluster: Name,
  version: z.string(),
  pid: z.int(),
  clientPort: z.int(),
  startedAtMs: z.number(),
  /** VMs of the cluster file, and why those that are not ready are not. */
  declared: z.strictObject({ vms: z.int(), ready: z.int(), waiting: z.array(z.string()) }),
});
export type ClusterInfo = z.infer<typeof ClusterInfo>;
