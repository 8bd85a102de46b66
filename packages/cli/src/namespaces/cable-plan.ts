/**
 * A cluster's seven networks as one machine's kernel makes them: a bridge each in a network namespace of their own, a
 * namespace for each program, and for each cable a veth pair between the two (veth(4)). Pure: the lines are for
 * `ip -batch` (ip(8)). An interface inside is called as its network, so that nobody has to look it up.
 */
import { type NetworkKind, networkKinds } from '@skein/shared';
import type { ClusterAddresses } from '../cluster/addresses.ts';

/** A program with cables, and its number: the last part of its address on each of its networks. */
export interface Station {
  readonly program: string;
  readonly number: number;
  readonly networks: readonly NetworkKind[];
}

const coordinator: Station = { program: 'coordinator', number: 1, networks: ['management', 'storage-a'] };
const storage: Station = {
  program: 'storage',
  number: 2,
  networks: ['management', 'storage-a', 'storage-b'],
};
const firstHostNumber = 11;
/** Where the networks themselves are reached from: the gateway dials the coordinator from there. */
const gatewayNumber = 254;

/** A guest's frame of 1,500 bytes and VXLAN around it go in one piece, as in compose/compose.yaml. */
const guestMtuBytes = 1600;
const mtuBytes = 1500;

export function hostStation(host: string, index: number): Station {
  return { program: host, number: firstHostNumber + index, networks: networkKinds };
}

export function stationsOf(hosts: readonly string[]): readonly Station[] {
  return [coordinator, storage, ...hosts.map(hostStation)];
}

/** Nothing outside sees these networks, so that they are the same in every cluster. */
export function addressIn(network: NetworkKind, station: number): string {
  return `10.89.${networkKinds.indexOf(network) + 1}.${station}`;
}

function subnetOf(network: NetworkKind): string {
  return `${addressIn(network, 0)}/24`;
}

/** Hosts look theirs up in the subnets, and so notice when a cable is pulled. */
export function namespaceAddresses(hosts: number): ClusterAddresses {
  const ofHost = Object.fromEntries(networkKinds.map((network) => [network, subnetOf(network)]));
  return {
    coordinator: {
      management: addressIn('management', coordinator.number),
      storage: addressIn('storage-a', coordinator.number),
    },
    storage: {
      management: addressIn('management', storage.number),
      storage: addressIn('storage-a', storage.number),
    },
    hosts: Array.from({ length: hosts }, () => ofHost),
  };
}

/** The end of a cable on the network's side: at most 15 characters (netdevice(7), IFNAMSIZ). */
export function outsideOf(network: NetworkKind, station: Station): string {
  return `${network}-${station.number}`;
}

/** In the networks' namespace: the bridges. No spanning tree, no IPv6 of the machine's own: only what programs send. */
export function bridgeLines(): readonly string[] {
  const gateway = addressIn('management', gatewayNumber);
  return [
    'link set lo up',
    ...networkKinds.flatMap((network) => [
      `link add ${network} mtu ${mtuOf(network)} type bridge stp_state 0 mcast_snooping 0`,
      `link set ${network} addrgenmode none up`,
    ]),
    `address add ${gateway}/24 dev management`,
  ];
}

/** In the networks' namespace: a namespace for the program, and a cable to each of its networks. */
export function cableLines(station: Station): readonly string[] {
  const { program, networks } = station;
  return [
    `netns add ${program}`,
    ...networks.flatMap((network) => {
      const [outside, mtu] = [outsideOf(network, station), mtuOf(network)];
      const peer = `name ${network} mtu ${mtu} address ${macIn(network, station)} netns ${program}`;
      return [
        `link add ${outside} mtu ${mtu} type veth peer ${peer}`,
        `link set ${outside} addrgenmode none master ${network} up`,
      ];
    }),
  ];
}

/** In the program's namespace. */
export function stationLines({ number, networks }: Station): readonly string[] {
  return [
    'link set lo up',
    ...networks.flatMap((network) => [
      `address add ${addressIn(network, number)}/24 dev ${network}`,
      `link set ${network} addrgenmode none up`,
    ]),
  ];
}

/**
 * Locally administered, and a station's for good: one that is switched on again is found by those who have it in their
 * ARP caches, which would take half a minute to forget another one.
 */
function macIn(network: NetworkKind, { number }: Station): string {
  const octets = [networkKinds.indexOf(network) + 1, number];
  return `02:53:4b:00:${octets.map((octet) => octet.toString(16).padStart(2, '0')).join(':')}`;
}

function mtuOf(network: NetworkKind): number {
  return network === 'guest-a' || network === 'guest-b' ? guestMtuBytes : mtuBytes;
}
