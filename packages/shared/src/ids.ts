/** Names and identities that cross process borders. A name is what people type; an id is never reused. */
import { z } from 'zod';

/** A DNS label: it becomes a guest's host name, a file's name and a metric's label. */
export const Name = z
  .string()
  .regex(
    /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/,
    'must be a DNS label: a-z, 0-9 and -, at most 63 characters',
  );

export const HostName = Name;
export type HostName = z.infer<typeof HostName>;

/** A VM's identity, unlike its name never given again: `vm-` and 16 hexadecimal digits. */
export const VmId = z.string().regex(/^vm-[0-9a-f]{16}$/, 'must be vm- and 16 hexadecimal digits');
export type VmId = z.infer<typeof VmId>;

export const OperationId = z.string().regex(/^op-[0-9a-f]{16}$/, 'must be op- and 16 hexadecimal digits');
export type OperationId = z.infer<typeof OperationId>;

/** Fencing epoch of a VM's lease: only ever grows. */
export const Epoch = z.int().min(0);
export type Epoch = z.infer<typeof Epoch>;

/** Random per process start: tells a restarted agent from the one before. */
export const BootId = z.string().regex(/^[0-9a-f]{32}$/, 'must be 32 hexadecimal digits');
export type BootId = z.infer<typeof BootId>;

/** Ethernet address in lower case, `52:54:00:12:34:56`; multicast addresses are not a station's. */
export const MacAddress = z
  .string()
  .regex(/^[0-9a-f][02468ace](?::[0-9a-f]{2}){5}$/, 'must be a unicast MAC address in lower case');
export type MacAddress = z.infer<typeof MacAddress>;

/** SHA-256 in hexadecimal: how images are addressed by content. */
export const ContentDigest = z.string().regex(/^[0-9a-f]{64}$/, 'must be a SHA-256 in hexadecimal');
export type ContentDigest = z.infer<typeof ContentDigest>;

/** A 64-bit state hash, 16 hexadecimal digits. */
export const StateHash = z.string().regex(/^[0-9a-f]{16}$/, 'must be 16 hexadecimal digits');
export type StateHash = z.infer<typeof StateHash>;
