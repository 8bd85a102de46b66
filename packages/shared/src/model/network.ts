/** The kinds of traffic, each with a network of its own (architecture, idea 4), and guest segments. */
import { z } from 'zod';
import { Name } from '../ids.ts';

export const networkKinds = [
  'management',
  'migration',
  'ft-logging',
  'storage-a',
  'storage-b',
  'guest-a',
  'guest-b',
] as const;

export const NetworkKind = z.enum(networkKinds);
export type NetworkKind = z.infer<typeof NetworkKind>;

/**
 * Networks on which hosts talk straight to each other: on each of them every host listens for its peers, and knows
 * whom it hears. Others join when something uses them.
 */
export const peerNetworks = ['migration', 'guest-a'] as const satisfies NetworkKind[];

export const IpV4Address = z.ipv4('must be an IPv4 address such as 127.20.1.11');

export const TcpPort = z.int().min(1).max(65_535);

/** 0 asks the system for a free port. */
export const ListenPort = z.int().min(0).max(65_535);

/** The host's own address on each network that it is connected to. */
export const HostAddresses = z.partialRecord(NetworkKind, IpV4Address);
export type HostAddresses = z.infer<typeof HostAddresses>;

/** Where a host listens for its peers, on its own address of each network. */
export const PeerPorts = z.partialRecord(NetworkKind, TcpPort);
export type PeerPorts = z.infer<typeof PeerPorts>;

/** IPv4 address of a guest with prefix length, `10.77.0.11/24`: one that a station can have. */
export const IpV4Interface = z
  .string()
  .regex(/^(?:\d{1,3}\.){3}\d{1,3}\/\d{1,2}$/, 'must be an address with prefix length such as 10.77.0.11/24')
  .superRefine((text, context) => {
    const message = complaintAboutInterface(text);
    if (message !== null) context.addIssue({ code: 'custom', message });
  });
export type IpV4Interface = z.infer<typeof IpV4Interface>;

/** Source: RFC 1122, Addressing (all-zeros and all-ones host parts, 127/8); RFC 5771 (224/4). */
function complaintAboutInterface(text: string): string | null {
  const [address = '', length = ''] = text.split('/');
  const prefix = Number(length);
  if (!IpV4Address.safeParse(address).success || prefix < 1 || prefix > 30)
    return 'must be an IPv4 address with a prefix length of 1 to 30';
  const first = Number(address.split('.')[0]);
  if (first === 0 || first === 127 || first >= 224)
    return `${address} cannot be a guest's: must be an address such as 10.77.0.11/24`;
  const bits = address.split('.').reduce((sum, part) => ((sum << 8) | Number(part)) >>> 0, 0);
  const hostMask = 2 ** (32 - prefix) - 1;
  const host = (bits & hostMask) >>> 0;
  if (host === 0) return `${address} names the network ${text} itself: must be an address within it`;
  if (host === hostMask) return `${address} is the broadcast address of its network: must be another one`;
  return null;
}

/** VXLAN network identifier, 24 bits (RFC 7348, VXLAN Frame Format). */
export const Vni = z.int().min(1).max(0xff_ffff);

/** A guest segment: one broadcast domain over all hosts, on one guest network. */
export const Segment = z.strictObject({ name: Name, vni: Vni, network: z.enum(['guest-a', 'guest-b']) });
export type Segment = z.infer<typeof Segment>;
