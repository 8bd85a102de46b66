/**
 * What a host must have so that a VM can be placed on it. Each filter answers with the reason of its refusal, in words
 * that follow the host's name, or null. (design: interfaces, `explain`; style: swarmkit's filters.)
 */
import { type HostName, type HostState, networkKinds, type VmSpec } from '@skein/shared';
import {
  findHost,
  type HostInventory,
  type Inventory,
  type Refusal,
  type Reservations,
} from './inventory.ts';
import { lossBetween } from './pairs.ts';

export interface PlacementRequest {
  readonly spec: VmSpec;
  /** Where it is and must not stay: the source of a migration. */
  readonly leaves: HostName | null;
  readonly refusals: readonly Refusal[];
}

export interface FilterContext {
  readonly inventory: Inventory;
  readonly reservations: Reservations;
}

type Filter = (request: PlacementRequest, host: HostInventory, context: FilterContext) => string | null;

const stateWords: Readonly<Record<HostState, string>> = {
  connected: 'is connected',
  suspect: 'is suspected to have failed',
  isolated: 'is isolated',
  failed: 'has failed',
};

const isUsable: Filter = (_request, host) => {
  if (host.state !== 'connected') return stateWords[host.state];
  return host.isReachable ? null : 'cannot be reached at present';
};

const isNotInMaintenance: Filter = (_request, host) => (host.isInMaintenance ? 'is in maintenance' : null);

const isAnotherHost: Filter = ({ leaves }, host) =>
  leaves === host.name ? 'is where it runs already' : null;

const hasNotRefused: Filter = ({ refusals }, host) => {
  const refusal = refusals.find((candidate) => candidate.host === host.name);
  return refusal === undefined ? null : `refused it: ${refusal.reason}`;
};

const hasMigrationNetwork: Filter = ({ leaves }, host) =>
  leaves !== null && host.addresses.migration === undefined
    ? 'has no address on the migration network'
    : null;

const hasSameMachine: Filter = ({ leaves }, host, { inventory }) => {
  const source = leaves === null ? undefined : findHost(inventory, leaves);
  if (source === undefined || source.machineVersion === host.machineVersion) return null;
  return `has machine version ${host.machineVersion}, ${source.name} has ${source.machineVersion}`;
};

const reachesSource: Filter = ({ leaves }, host, { inventory }) => {
  if (leaves === null) return null;
  const loss = lossBetween(inventory.pairs, leaves, host.name, 'migration');
  return loss === null ? null : `and ${leaves} have lost each other on the migration network: ${loss.reason}`;
};

const hasMemory: Filter = ({ spec }, host, context) => {
  const freeMib = host.capacity.memoryMib - takenMemoryMib(host, spec, context.reservations);
  const neededMib = spec.machine.memoryMib;
  return neededMib <= freeMib ? null : `has ${Math.max(0, freeMib)} MiB free of ${neededMib} needed`;
};

const hasCpu: Filter = ({ spec }, host, { reservations }) => {
  const freeMhz = host.capacity.cpuMhz - reservations.on(host.name, spec.id).cpuMhz;
  const neededMhz = spec.machine.cpu.reservationMhz;
  return neededMhz <= freeMhz
    ? null
    : `has ${Math.max(0, freeMhz)} MHz not reserved of ${neededMhz} to reserve`;
};

const hasNetworks: Filter = ({ spec }, host, { inventory }) => {
  for (const nic of spec.machine.nics) {
    const segment = inventory.segments.find(({ name }) => name === nic.segment);
    if (segment === undefined) return `knows no segment ${nic.segment}`;
    const network = networkKinds.find((kind) => kind === segment.network) ?? 'guest-a';
    if (host.addresses[network] === undefined || !host.hasTunnel) {
      return `is not on ${network}, which segment ${segment.name} needs`;
    }
  }
  return null;
};

const filters: readonly Filter[] = [
  isUsable,
  isNotInMaintenance,
  isAnotherHost,
  hasNotRefused,
  hasSameMachine,
  hasMigrationNetwork,
  reachesSource,
  hasMemory,
  hasCpu,
  hasNetworks,
];

/** The first refusal, or null: the host can take the VM. */
export function refusalOf(
  request: PlacementRequest,
  host: HostInventory,
  context: FilterContext,
): string | null {
  for (const filter of filters) {
    const reason = filter(request, host, context);
    if (reason !== null) return reason;
  }
  return null;
}

/** Memory taken by others: what is reserved or what the agent reports, whichever is more. */
export function takenMemoryMib(host: HostInventory, spec: VmSpec, reservations: Reservations): number {
  const reservedMib = reservations.on(host.name, spec.id).memoryMib;
  // A VM that is on the host already is in the agent's figure too.
  const ownMib = reservations.holds(host.name, spec.id) ? spec.machine.memoryMib : 0;
  return Math.max(reservedMib, host.usedMemoryMib - ownMib);
}
