/** Configuration of the coordinator: one JSON file. */
import { z } from 'zod';
import { Name } from '../ids.ts';
import { ListenPort, Segment, TcpPort } from '../model/network.ts';
import { Insecure } from './insecure.ts';
import { MigrationLimits } from './migration-limits.ts';
import { OwnAddress, PeerAddress } from './own-address.ts';

export const CoordinatorConfig = z.strictObject({
  cluster: Name,
  /** Holds the inventory (SQLite); made if absent. */
  stateDirectory: z.string().min(1),
  /** People's programs prove this one. */
  apiTokenFile: z.string().min(1),
  /** Made at the first start; whoever shows it may read `/metrics` and the list of its targets, nothing else. */
  metricsTokenFile: z.string().min(1).optional(),
  /** Gets a password for the dashboard's administrator at the first start; the coordinator has no use for it. */
  dashboardPasswordFile: z.string().min(1).optional(),
  managementAddress: OwnAddress,
  apiPort: ListenPort.default(0),
  /** Names under which the API is served beside addresses and localhost; others are refused (DNS rebinding). */
  apiHostNames: z.array(z.hostname()).max(16).default([]),
  agentPort: ListenPort.default(0),
  clientPort: ListenPort.default(0),
  /** Where programs join this cluster. */
  joinPort: ListenPort.default(0),
  /** Where join tokens are put, and kept fresh, for programs that are started beside this one. */
  joinTokenFiles: z
    .strictObject({ agent: z.string().min(1), storage: z.string().min(1) })
    .partial()
    .default({}),
  /** Programs renew their certificates at two thirds of this. */
  certificateLifeHours: z
    .number()
    .min(0.01)
    .max(24 * 366)
    .default(24 * 30),
  insecure: Insecure,
  storage: z.strictObject({
    /** The coordinator's own address on the storage network, to dial from. */
    localAddress: OwnAddress,
    address: PeerAddress,
    port: TcpPort,
  }),
  segments: z.array(Segment).max(1024),
  /** What the largest host offers, where that is known beforehand: a VM of the cluster file that needs more is refused. */
  largestHost: z.strictObject({ memoryMib: z.int().min(1), cpuMhz: z.int().min(1).optional() }).optional(),
  /** A cluster file: its VMs are made as soon as hosts can take them. */
  clusterFile: z.string().min(1).optional(),
  ...MigrationLimits.shape,
  /** Guest images as all hosts have them; the newest is the default of new VMs. */
  imageDirectory: z.string().min(1).optional(),
  logLevel: z.enum(['trace', 'debug', 'info', 'warn', 'error']).default('info'),
});
export type CoordinatorConfig = z.infer<typeof CoordinatorConfig>;
