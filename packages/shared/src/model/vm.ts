/**
 * A VM as three things that are never mixed: spec (what people asked for), desired (what the coordinator
 * decided) and status (what the agents reported, possibly stale).
 */
import { z } from 'zod';
import { ContentDigest, Epoch, HostName, MacAddress, Name, OperationId, VmId } from '../ids.ts';
import { IpV4Interface } from './network.ts';

/** Smallest and largest RAM of a machine (architecture: Memory). */
export const memoryMibMin = 64;
export const memoryMibMax = 3072;

const memoryRange = `must be a whole number of MiB from ${memoryMibMin} to ${memoryMibMax}`;
export const MemoryMib = z.int(memoryRange).min(memoryMibMin, memoryRange).max(memoryMibMax, memoryRange);

export const NicSpec = z.strictObject({
  mac: MacAddress,
  segment: Name,
  /** The guest's init configures it; the switches do not look at it. */
  address: IpV4Interface.optional(),
});
export type NicSpec = z.infer<typeof NicSpec>;

/** CPU in MHz, one MHz = a million steps a second (architecture: CPU is a budget). Shares weigh against other VMs. */
export const CpuAllocation = z.strictObject({
  reservationMhz: z.int().min(0).default(0),
  limitMhz: z.int().min(1).optional(),
  shares: z.int().min(1).max(1_000_000).default(1000),
});
export type CpuAllocation = z.infer<typeof CpuAllocation>;

/** What the machine itself is made of: all a host needs to power it on. */
export const MachineSpec = z.strictObject({
  memoryMib: MemoryMib,
  image: ContentDigest,
  nics: z.array(NicSpec).max(8),
  /** Added to the image's own boot arguments; printable ASCII. */
  bootArguments: z
    .string()
    .max(1024)
    .regex(/^[\x20-\x7e]*$/, 'must be printable ASCII')
    .default(''),
  cpu: CpuAllocation.prefault({}),
});
export type MachineSpec = z.infer<typeof MachineSpec>;

export const PowerState = z.enum(['on', 'off']);
export type PowerState = z.infer<typeof PowerState>;

export const VmSpec = z.strictObject({
  id: VmId,
  name: Name,
  machine: MachineSpec,
  power: PowerState,
  /** Restart priority after a host failure, 1 first. */
  restartPriority: z.int().min(1).max(5).default(3),
});
export type VmSpec = z.infer<typeof VmSpec>;

/** What the coordinator decided for a VM: where it shall run, and what it works on at present. */
export const VmDesired = z.strictObject({
  vm: VmId,
  host: HostName.nullable(),
  operation: OperationId.nullable(),
  /** Why nothing is done although something is wanted, e.g. a restart that no host can take. */
  waitingReason: z.string().nullable(),
});
export type VmDesired = z.infer<typeof VmDesired>;

/** States of a VM on its host. */
export const VmRunState = z.enum([
  'starting',
  'running',
  'suspended',
  /** The lease's deadline passed while the storage service could not be reached: goes on when it returns. */
  'frozen',
  'incoming',
  'stopping',
  'stopped',
  'failed',
]);
export type VmRunState = z.infer<typeof VmRunState>;

/** How a guest was powered on: by booting its kernel, or as a clone of a template. */
export const VmStartKind = z.enum(['kernel', 'template']);
export type VmStartKind = z.infer<typeof VmStartKind>;

/** An agent's report about one of its VMs. Times are on that host's monotonic clock. */
export const VmReport = z.strictObject({
  vm: VmId,
  name: Name,
  epoch: Epoch,
  state: VmRunState,
  reason: z.string().nullable(),
  /** Steps retired: grows while the guest makes progress. */
  steps: z.int().min(0),
  usedMhz: z.number().min(0),
  /** From power-on to the first step, and to the guest's own `ready` line; null before. */
  firstStepMs: z.number().min(0).nullable(),
  readyMs: z.number().min(0).nullable(),
  startedFrom: VmStartKind.nullable(),
  /** The version in the kernel's banner, or in its template's; null before it was seen. */
  kernel: z.string().max(200).nullable(),
  /** Pages of its memory that are still at the host it came from. */
  missingPages: z.int().min(0).default(0),
});
export type VmReport = z.infer<typeof VmReport>;

/** A VM as the API shows it. */
export const VmView = z.strictObject({
  id: VmId,
  name: Name,
  spec: VmSpec,
  state: z.enum([
    'stopped',
    'starting',
    'running',
    'migrating',
    'stopping',
    'waiting',
    'frozen',
    'unknown',
    'failed',
  ]),
  host: HostName.nullable(),
  epoch: Epoch.nullable(),
  reason: z.string().nullable(),
  operation: OperationId.nullable(),
  kernel: z.string().nullable(),
  firstStepMs: z.number().nullable(),
  readyMs: z.number().nullable(),
  startedFrom: VmStartKind.nullable(),
  usedMhz: z.number(),
});
export type VmView = z.infer<typeof VmView>;
