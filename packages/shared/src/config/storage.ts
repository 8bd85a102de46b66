/** Configuration of the storage service: one JSON file. */
import { z } from 'zod';
import { ListenPort, TcpPort } from '../model/network.ts';
import { joinPortDefault } from './agent.ts';
import { Insecure } from './insecure.ts';
import { MetricsConfig } from './metrics.ts';
import { OwnAddress, PeerAddress } from './own-address.ts';
import { Timing } from './timing.ts';

export const StorageConfig = z
  .strictObject({
    /** Holds the lease log; made if absent. */
    stateDirectory: z.string().min(1),
    /** Holds the join token with which the service gets its first certificate. */
    joinTokenFile: z.string().min(1).optional(),
    /** Where it joins. Leases need no coordinator. */
    coordinator: z
      .strictObject({ address: PeerAddress, joinPort: TcpPort.default(joinPortDefault) })
      .optional(),
    insecure: Insecure,
    /** This service's address on storage-a. */
    address: OwnAddress,
    port: ListenPort.default(0),
    /** It joins from there, and its metrics are read there; leases are served on the storage network alone. */
    managementAddress: OwnAddress.optional(),
    metrics: MetricsConfig.optional(),
    timing: Timing.prefault({}),
    logLevel: z.enum(['trace', 'debug', 'info', 'warn', 'error']).default('info'),
  })
  .refine(({ metrics, managementAddress }) => metrics === undefined || managementAddress !== undefined, {
    path: ['managementAddress'],
    message: 'metrics are served on the management address: it is required with them',
  });
export type StorageConfig = z.infer<typeof StorageConfig>;
