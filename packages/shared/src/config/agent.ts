/** Configuration of a host agent: one JSON file. */
import { z } from 'zod';
import { HostName } from '../ids.ts';
import { ListenPort, TcpPort } from '../model/network.ts';
import { Insecure } from './insecure.ts';
import { MetricsConfig } from './metrics.ts';
import { OwnAddresses, PeerAddress } from './own-address.ts';

export const vxlanPortDefault = 4789; // RFC 7348, VXLAN Frame Format
/** Where a coordinator lets programs join. */
export const joinPortDefault = 7103;

export const AgentConfig = z.strictObject({
  /** Absent: the name in the state directory; without one, the machine's own. */
  host: HostName.optional(),
  /** Holds the agent's own state: its name, if none is given here; made if absent. */
  stateDirectory: z.string().min(1),
  /** Holds the join token with which the agent gets its first certificate. */
  joinTokenFile: z.string().min(1).optional(),
  coordinator: z.strictObject({
    address: PeerAddress,
    port: TcpPort,
    joinPort: TcpPort.default(joinPortDefault),
  }),
  storage: z.strictObject({ address: PeerAddress, port: TcpPort }),
  /** On each network; a kind that is missing cannot be used here. */
  addresses: OwnAddresses.refine((addresses) => addresses.management !== undefined, 'management is required'),
  vxlanPort: ListenPort.default(vxlanPortDefault),
  /** Where peers are listened for, on the own address of each network where hosts talk straight to each other. */
  peerPort: ListenPort.default(0),
  capacity: z.strictObject({
    /** Measured at start when absent. 1 MHz = a million steps a second. */
    cpuMhz: z.int().min(10).max(1_000_000).optional(),
    memoryMib: z
      .int()
      .min(64)
      .max(1 << 20),
  }),
  metrics: MetricsConfig.optional(),
  /** Guest images by content digest: `<digest>/manifest.json`. */
  imageDirectory: z.string().min(1),
  insecure: Insecure,
  /** Where templates of guests are kept; the state directory's `templates` when absent. Agents may share it. */
  templateDirectory: z.string().min(1).optional(),
  logLevel: z.enum(['trace', 'debug', 'info', 'warn', 'error']).default('info'),
});
export type AgentConfig = z.infer<typeof AgentConfig>;
