/** The configuration files of a cluster's processes, checked by the same schemas that the processes read them with. */
import { join } from 'node:path';
import {
  AgentConfig,
  CoordinatorConfig,
  joinPortDefault,
  type MetricsConfig,
  type OwnAddresses,
  type Segment,
  StorageConfig,
} from '@skein/shared';
import type { ClusterAddresses } from './addresses.ts';
import { apiTokenFile, joinTokenFile, metricsTokenFile } from './state-folder.ts';

export interface ClusterPlan {
  readonly cluster: string;
  readonly stateFolder: string;
  readonly addresses: ClusterAddresses;
  readonly hostNames: readonly string[];
  readonly hostMemoryMib: number;
  /** Measured by each agent when absent. */
  readonly hostMhz?: number;
  readonly imageFolder: string;
  /** Shared by all hosts, and by the clusters that follow; each host has its own when absent. */
  readonly templateFolder?: string;
  readonly segments: readonly Segment[];
  /** Its guests are made as soon as the hosts are there. */
  readonly clusterFile?: string;
  /** Without certificates: loopback only. */
  readonly isInsecure: boolean;
}

/** The one segment that every cluster on a laptop has. */
export const lanSegment: Segment = { name: 'lan', vni: 77, network: 'guest-a' };

/**
 * Fixed, for a process that is started again must be found where it was; no two clusters share an address, so no
 * two share a port.
 */
export const portNumbers = {
  api: 7100,
  agents: 7101,
  clients: 7102,
  join: joinPortDefault,
  storage: 7110,
  metrics: 7130,
} as const;

export interface PlannedProcess {
  readonly folder: string;
  readonly configFile: string;
  readonly logFile: string;
  readonly stateDirectory: string;
}

export function placeProcess(stateFolder: string, name: string): PlannedProcess {
  const folder = join(stateFolder, name);
  return {
    folder,
    configFile: join(folder, 'config.json'),
    logFile: join(folder, 'log'),
    stateDirectory: join(folder, 'state'),
  };
}

export function storageConfig(plan: ClusterPlan): StorageConfig {
  return StorageConfig.parse({
    stateDirectory: placeProcess(plan.stateFolder, 'storage').stateDirectory,
    joinTokenFile: joinTokenFile(plan.stateFolder, 'storage'),
    coordinator: { address: plan.addresses.coordinator.management, joinPort: portNumbers.join },
    address: plan.addresses.storage.storage,
    port: portNumbers.storage,
    insecure: plan.isInsecure,
    managementAddress: plan.addresses.storage.management,
    metrics: metricsConfig(plan),
  });
}

export function coordinatorConfig(plan: ClusterPlan): CoordinatorConfig {
  return CoordinatorConfig.parse({
    cluster: plan.cluster,
    stateDirectory: placeProcess(plan.stateFolder, 'coordinator').stateDirectory,
    joinTokenFiles: {
      agent: joinTokenFile(plan.stateFolder, 'agent'),
      storage: joinTokenFile(plan.stateFolder, 'storage'),
    },
    joinPort: portNumbers.join,
    insecure: plan.isInsecure,
    apiTokenFile: apiTokenFile(plan.stateFolder),
    metricsTokenFile: metricsTokenFile(plan.stateFolder),
    managementAddress: plan.addresses.coordinator.management,
    apiPort: portNumbers.api,
    agentPort: portNumbers.agents,
    clientPort: portNumbers.clients,
    storage: {
      localAddress: plan.addresses.coordinator.storage,
      address: plan.addresses.storage.storage,
      port: portNumbers.storage,
    },
    segments: plan.segments,
    imageDirectory: plan.imageFolder,
    largestHost: {
      memoryMib: plan.hostMemoryMib,
      ...(plan.hostMhz === undefined ? {} : { cpuMhz: plan.hostMhz }),
    },
    ...(plan.clusterFile === undefined ? {} : { clusterFile: plan.clusterFile }),
  });
}

export function agentConfig(
  plan: ClusterPlan,
  host: { readonly name: string; readonly addresses: OwnAddresses },
): AgentConfig {
  return AgentConfig.parse({
    host: host.name,
    stateDirectory: placeProcess(plan.stateFolder, host.name).stateDirectory,
    joinTokenFile: joinTokenFile(plan.stateFolder, 'agent'),
    insecure: plan.isInsecure,
    coordinator: {
      address: plan.addresses.coordinator.management,
      port: portNumbers.agents,
      joinPort: portNumbers.join,
    },
    storage: { address: plan.addresses.storage.storage, port: portNumbers.storage },
    addresses: host.addresses,
    capacity: {
      memoryMib: plan.hostMemoryMib,
      ...(plan.hostMhz === undefined ? {} : { cpuMhz: plan.hostMhz }),
    },
    metrics: metricsConfig(plan),
    imageDirectory: plan.imageFolder,
    ...(plan.templateFolder === undefined ? {} : { templateDirectory: plan.templateFolder }),
  });
}

function metricsConfig({ stateFolder }: ClusterPlan): MetricsConfig {
  return { tokenFile: metricsTokenFile(stateFolder), port: portNumbers.metrics };
}
