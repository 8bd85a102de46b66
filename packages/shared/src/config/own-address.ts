/**
 * How a program's configuration names addresses. Which interface is which network is never told by its name: Docker
 * renames interfaces, and aliases clash when a service is scaled. So an own address may be given as the subnet in which
 * it is looked up, again at each bind and dial.
 */
import { z } from 'zod';
import { IpV4Address, NetworkKind } from '../model/network.ts';

export const IpV4Subnet = z.cidrv4('must be a subnet such as 10.89.2.0/24');
export type IpV4Subnet = z.infer<typeof IpV4Subnet>;

/** This machine's own address on a network, or the subnet in which that address lies. */
export const OwnAddress = z
  .union([IpV4Address, IpV4Subnet])
  .describe('an IPv4 address of this machine, or the subnet in which it has one');
export type OwnAddress = z.infer<typeof OwnAddress>;

/** Another machine's address, or a name for it. */
export const PeerAddress = z.union([
  IpV4Address,
  z.hostname('must be an IPv4 address or a host name such as coordinator.management'),
]);
export type PeerAddress = z.infer<typeof PeerAddress>;

/** This host's own address on each network that it is connected to. */
export const OwnAddresses = z.partialRecord(NetworkKind, OwnAddress).superRefine((addresses, context) => {
  for (const [first, second] of overlappingSubnets(addresses)) {
    context.addIssue({
      code: 'custom',
      path: [second],
      message: `${addresses[second]} overlaps ${addresses[first]} of ${first}: each network needs a subnet of its own`,
    });
  }
});
export type OwnAddresses = z.infer<typeof OwnAddresses>;

/** Pairs of keys whose values are subnets that share an address. */
function overlappingSubnets<K extends string>(subnets: Readonly<Partial<Record<K, string>>>): [K, K][] {
  const entries = (Object.entries(subnets) as [K, string][]).filter(([, value]) => value.includes('/'));
  return entries.flatMap(([first, a], index) =>
    entries
      .slice(index + 1)
      .filter(([, b]) => overlap(a, b))
      .map(([second]): [K, K] => [first, second]),
  );
}

/** Whether two subnets share an address. */
export function overlap(a: IpV4Subnet, b: IpV4Subnet): boolean {
  return includes(a, baseOf(b)) || includes(b, baseOf(a));
}

/** Whether an IPv4 address lies in a subnet `10.89.2.0/24`. */
export function includes(subnet: IpV4Subnet, address: string): boolean {
  const length = Number(subnet.slice(subnet.indexOf('/') + 1));
  const mask = length === 0 ? 0 : (-1 << (32 - length)) >>> 0;
  return (toNumber(baseOf(subnet)) & mask) >>> 0 === (toNumber(address) & mask) >>> 0;
}

function baseOf(subnet: string): string {
  return subnet.slice(0, subnet.indexOf('/'));
}

function toNumber(address: string): number {
  return address.split('.').reduce((sum, part) => ((sum << 8) | Number(part)) >>> 0, 0);
}
