import { AgentConfig, CoordinatorConfig, networkKinds, StorageConfig } from '@skein/shared';
import { describe, expect, it } from 'vitest';
import { addressesOf, hostsMax } from './addresses.ts';
import {
  agentConfig,
  type ClusterPlan,
  coordinatorConfig,
  lanSegment,
  storageConfig,
} from './configuration.ts';

const plan: ClusterPlan = {
  cluster: 'test',
  stateFolder: '/state',
  addresses: addressesOf(42, hostsMax),
  hostNames: Array.from({ length: hostsMax }, (_, index) => `h${index + 1}`),
  hostMemoryMib: 512,
  imageFolder: '/images',
  segments: [lanSegment],
  isInsecure: false,
};

describe('configurations that skein writes', () => {
  it('are read back by the schemas of the programs that they are for, and say the same', () => {
    const storage = storageConfig(plan);
    const coordinator = coordinatorConfig(plan);
    const agent = agentConfig(plan, { name: 'h1', addresses: plan.addresses.hosts[0] ?? {} });
    expect(StorageConfig.parse(JSON.parse(JSON.stringify(storage)))).toEqual(storage);
    expect(CoordinatorConfig.parse(JSON.parse(JSON.stringify(coordinator)))).toEqual(coordinator);
    expect(AgentConfig.parse(JSON.parse(JSON.stringify(agent)))).toEqual(agent);
    expect(agent.coordinator).toEqual({
      address: coordinator.managementAddress,
      port: coordinator.agentPort,
      joinPort: coordinator.joinPort,
    });
    expect([agent.storage.port, coordinator.storage.port]).toEqual([storage.port, storage.port]);
    expect([agent.joinTokenFile, storage.joinTokenFile]).toEqual(
      (['agent', 'storage'] as const).map((kind) => coordinator.joinTokenFiles[kind]),
    );
    expect([agent.storage.address, coordinator.storage.address]).toEqual([storage.address, storage.address]);
  });

  it('give each end of each network an address of its own, and each network a range of its own', () => {
    const { coordinator, storage, hosts } = plan.addresses;
    const all = [
      coordinator.management,
      coordinator.storage,
      storage,
      ...hosts.flatMap((host) => Object.values(host)),
    ];
    expect(new Set(all).size).toBe(all.length);
    for (const host of hosts) {
      for (const [kind, address] of Object.entries(host)) {
        const network = (networkKinds as readonly string[]).indexOf(kind) + 1;
        expect(address).toMatch(new RegExp(`^127\\.42\\.${network}\\.\\d+$`));
      }
    }
  });
});
