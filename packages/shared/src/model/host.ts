/** Hosts as the coordinator sees them. */
import { z } from 'zod';
import { BootId, HostName } from '../ids.ts';
import { HostAddresses, NetworkKind, PeerPorts, TcpPort } from './network.ts';

/**
 * connected: heartbeats arrive. suspect: its sockets closed or heartbeats stopped, its lease still runs.
 * isolated: no management, but its VM leases are renewed at the storage: its guests run on, nothing is restarted.
 * failed: host lease and VM leases are over. (design: HA; vocabulary.)
 */
export const HostState = z.enum(['connected', 'suspect', 'isolated', 'failed']);
export type HostState = z.infer<typeof HostState>;

export const HostCapacity = z.strictObject({
  cpuMhz: z.int().min(1),
  memoryMib: z.int().min(64),
});
export type HostCapacity = z.infer<typeof HostCapacity>;

/** Of the machine that a host makes guests of (packages/machine, machine-version.ts): a guest moves between equal ones. */
export const MachineVersion = z.int().min(1);
export type MachineVersion = z.infer<typeof MachineVersion>;

/** What an agent says of itself when it registers. */
export const HostIdentity = z.strictObject({
  name: HostName,
  bootId: BootId,
  pid: z.int().min(1),
  capacity: HostCapacity,
  addresses: HostAddresses,
  peerPorts: PeerPorts,
  /** UDP port of its VXLAN tunnel on its guest-a address. */
  vxlanPort: TcpPort.nullable(),
  /** Where its metrics are read, on its management address. */
  metricsPort: TcpPort.nullable().default(null),
  machineVersion: MachineVersion.default(1),
});
export type HostIdentity = z.infer<typeof HostIdentity>;

/** A peer that a host and it have lost: at least one of them does not hear the other on that network. */
export const LostPeer = z.strictObject({
  host: HostName,
  network: NetworkKind,
  reason: z.string(),
  /** Unix time. */
  sinceMs: z.number(),
});
export type LostPeer = z.infer<typeof LostPeer>;

/** Nothing new comes to a host in maintenance, so that it can be worked on; what runs there runs on. */
export const HostMaintenanceRequest = z.strictObject({ isOn: z.boolean() });
export type HostMaintenanceRequest = z.infer<typeof HostMaintenanceRequest>;

/** A host as the API shows it. */
export const HostView = z.strictObject({
  name: HostName,
  state: HostState,
  reason: z.string().nullable(),
  /** Nothing is placed or migrated there until it is taken out of maintenance; what runs there runs on. */
  isInMaintenance: z.boolean().default(false),
  pid: z.int().nullable(),
  bootId: BootId.nullable(),
  capacity: HostCapacity,
  usedMemoryMib: z.int(),
  usedMhz: z.number(),
  vms: z.int(),
  addresses: HostAddresses,
  machineVersion: MachineVersion.default(1),
  lostPeers: z.array(LostPeer),
});
export type HostView = z.infer<typeof HostView>;
