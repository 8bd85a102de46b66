/** A host as the coordinator tracks it in memory, and what of it policies read. */
import type { AgentStatus, HostIdentity } from '@skein/shared';
import type { HostVerdict } from './policy/host-state.ts';
import type { HostInventory } from './policy/inventory.ts';
import type { AgentLink } from './sessions/agents.ts';
import type { HostLease } from './sessions/host-lease.ts';

export interface Host {
  identity: HostIdentity;
  /** Registered on it; null while there is none. */
  link: AgentLink | null;
  readonly lease: HostLease;
  status: AgentStatus;
  statusAtMs: number | null;
  verdict: HostVerdict;
  /** When its present process registered first; null: before this coordinator began to watch. */
  startedAtMs: number | null;
  /** Null: it is not connected. */
  connectedSinceMs: number | null;
  /** The last change of its networks that this process of it told. */
  toldChange: number;
  /** Unix times, for people. */
  readonly moments: { heardAtMs: number | null; suspectedAtMs: number | null; failedAtMs: number | null };
}

/** At this moment. `isInMaintenance`: what people want of it is in the store. */
export function toInventory(
  { identity, verdict, startedAtMs, lease, link, status, statusAtMs }: Host,
  isInMaintenance: boolean,
): HostInventory {
  const { name, capacity, addresses, peerPorts, vxlanPort, machineVersion } = identity;
  return {
    name,
    state: verdict.state,
    reason: verdict.reason,
    startedAtMs,
    heardAtMs: lease.heardAtMs,
    isReachable: link?.isOpen === true,
    isInMaintenance,
    machineVersion,
    capacity,
    addresses,
    hasTunnel: peerPorts['guest-a'] !== undefined && vxlanPort !== null,
    usedMemoryMib: status.usedMemoryMib,
    statusAtMs,
  };
}
