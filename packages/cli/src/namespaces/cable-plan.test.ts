/** The lines themselves are carried out by ip(8) in test/cluster. */
import { AgentConfig, networkKinds } from '@skein/shared';
import { describe, expect, it } from 'vitest';
import { hostsMax } from '../cluster/addresses.ts';
import {
  cableLines,
  hostStation,
  namespaceAddresses,
  outsideOf,
  stationLines,
  stationsOf,
} from './cable-plan.ts';

const hosts = Array.from({ length: hostsMax }, (_, index) => `h${index + 1}`);

describe('the cables of a cluster in namespaces', () => {
  it('have ends whose names are their own and not longer than the kernel takes', () => {
    const ends = stationsOf(hosts).flatMap((station) =>
      station.networks.map((network) => outsideOf(network, station)),
    );
    expect(new Set([...ends, ...networkKinds]).size).toBe(ends.length + networkKinds.length);
    expect(Math.max(...ends.map((name) => name.length))).toBeLessThanOrEqual(15);
  });

  it('give each program an address of its own in the subnet that it is told', () => {
    const lines = stationsOf(hosts).flatMap(stationLines);
    const addresses = lines.flatMap((line) => /^address add (\S+)\/24/.exec(line)?.[1] ?? []);
    expect(new Set(addresses).size).toBe(addresses.length);
    const { coordinator, storage, hosts: ofHosts } = namespaceAddresses(1);
    expect(addresses).toEqual(
      expect.arrayContaining([...Object.values(coordinator), ...Object.values(storage)]),
    );
    expect(AgentConfig.shape.addresses.parse(ofHosts[0])).toMatchObject({ migration: '10.89.2.0/24' });
    expect(stationLines(hostStation('h1', 0))).toContain('address add 10.89.2.11/24 dev migration');
  });

  it("take a guest's frame with VXLAN around it in one piece", () => {
    const lines = cableLines(hostStation('h1', 0));
    expect(lines).toContain(
      'link add guest-a-11 mtu 1600 type veth peer name guest-a mtu 1600 address 02:53:4b:00:06:0b netns h1',
    );
    expect(lines).toContain('link set guest-a-11 addrgenmode none master guest-a up');
  });
});
