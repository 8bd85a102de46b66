/**
 * Addresses of a cluster on one machine: each network a /24 of its own in 127/8, `127.<cluster>.<network>.<host>`, so
 * that two clusters run side by side. Which number is free is found by binding the one port that is fixed, VXLAN's.
 */
import { createSocket } from 'node:dgram';
import {
  type NetworkKind,
  networkKinds,
  OperationError,
  type OwnAddresses,
  vxlanPortDefault,
} from '@skein/shared';

/** The networks that something is bound on so far; the others are known, and come with what uses them. */
export const networksInUse = [
  'management',
  'migration',
  'storage-a',
  'guest-a',
] as const satisfies NetworkKind[];

/** Numbers of clusters; 127.0.0.0/16 belongs to the machine itself. */
const clusterNumberMin = 20;
const clusterNumberMax = 250;
const coordinatorStation = 1;
const storageStation = 2;
const firstHostStation = 11;
export const hostsMax = 32;

export interface ClusterAddresses {
  readonly coordinator: { readonly management: string; readonly storage: string };
  readonly storage: { readonly management: string; readonly storage: string };
  /** Or the subnets in which they look their addresses up. */
  readonly hosts: readonly OwnAddresses[];
}

export interface LoopbackAddresses extends ClusterAddresses {
  readonly clusterNumber: number;
}

export function addressesOf(clusterNumber: number, hosts: number): LoopbackAddresses {
  const address = (kind: NetworkKind, station: number): string =>
    loopbackAddress(clusterNumber, kind, station);
  return {
    clusterNumber,
    coordinator: {
      management: address('management', coordinatorStation),
      storage: address('storage-a', coordinatorStation),
    },
    storage: {
      management: address('management', storageStation),
      storage: address('storage-a', storageStation),
    },
    hosts: Array.from({ length: hosts }, (_, index) =>
      Object.fromEntries(networksInUse.map((kind) => [kind, address(kind, firstHostStation + index)])),
    ),
  };
}

/**
 * The addresses of a cluster number that nobody uses; `startAt` spreads clusters that start at the same time.
 * @throws OperationError address.unavailable
 */
export async function findFreeAddresses(hosts: number, startAt: number): Promise<LoopbackAddresses> {
  let reason = '';
  for (const clusterNumber of clusterNumbers(startAt)) {
    const addresses = addressesOf(clusterNumber, hosts);
    const complaint = await firstUnusable(addresses);
    if (complaint === null) return addresses;
    reason = complaint;
  }
  throw new OperationError({
    code: 'address.unavailable',
    message: `no free range of loopback addresses for ${hosts} hosts (last: ${reason}); end a cluster with: skein down`,
  });
}

/** Where the API of a cluster may be, if that is all that it needs of the machine's loopback. */
export function* coordinatorAddresses(startAt: number): Generator<string> {
  for (const number of clusterNumbers(startAt))
    yield loopbackAddress(number, 'management', coordinatorStation);
}

function* clusterNumbers(startAt: number): Generator<number> {
  const numbers = clusterNumberMax - clusterNumberMin + 1;
  for (let attempt = 0; attempt < numbers; attempt++)
    yield clusterNumberMin + ((startAt + attempt) % numbers);
}

function loopbackAddress(clusterNumber: number, kind: NetworkKind, station: number): string {
  return `127.${clusterNumber}.${networkKinds.indexOf(kind) + 1}.${station}`;
}

async function firstUnusable(addresses: ClusterAddresses): Promise<string | null> {
  for (const host of addresses.hosts) {
    const complaint = await complaintAboutUdp(host['guest-a'] ?? '', vxlanPortDefault);
    if (complaint !== null) return complaint;
  }
  return null;
}

/** Null when a UDP socket can be bound there; port 0: any. */
export function complaintAboutUdp(address: string, port: number): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    socket.once('error', (error: NodeJS.ErrnoException) => {
      socket.close();
      resolve(`${address}:${port} ${error.code ?? error.message}`);
    });
    socket.bind({ address, port, exclusive: true }, () => socket.close(() => resolve(null)));
  });
}
