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

export const IpV4Address = z.ipv4('must be an IPv4 address such as 127.20.1.11');

export const TcpPort = z.int().min(1).max(65_535);

/** 0 asks the system for a free port. */
export const ListenPort = z.int().min(0).max(65_535);

/** The host's own address on each network that it is connected to. */
export const HostAddresses = z.partialRecord(NetworkKind, IpV4Address);
export type HostAddresses = z.infer<typeof HostAddresses>;

/** IPv4 address with prefix length, `10.77.0.11/24`. */
export const IpV4Interface = z
  .string()
  .regex(/^(?:\d{1,3}\.){3}\d{1,3}\/\d{1,2}$/, 'must be an address with prefix length such as 10.77.0.11/24')
  .refine((text) => {
    const [address = '', length = ''] = text.split('/');
    return IpV4Address.safeParse(address).success && Number(length) >= 1 && Number(length) <= 30;
  }, 'must be an IPv4 address with a prefix length of 1 to 30');
export type IpV4Interface = z.infer<typeof IpV4Interface>;

/** VXLAN network identifier, 24 bits (RFC 7348, VXLAN Frame Format). */
export const Vni = z.int().min(1).max(0xff_ffff);

/** A guest segment: one broadcast domain over all hosts, on one guest network. */
export const Segment = z.strictObject({ name: Name, vni: Vni, network: z.enum(['guest-a', 'guest-b']) });
export type Segment = z.infer<typeof Segment>;
