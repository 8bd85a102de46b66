/**
 * The internet checksum, and where it stands in a frame. Only TCP and UDP over IPv4 without fragments are known here;
 * of anything else a guest checks and makes the checksums itself.
 * Source: RFC 1071; RFC 791; RFC 9293, "Header Format"; RFC 768.
 */

export const ETHERNET_HEADER_BYTES = 14;
export const VLAN_TAG_BYTES = 4;
const ETHERNET_TYPE_OFFSET = 12;
const TYPE_IPV4 = 0x0800;
const TYPE_VLAN = 0x8100;

const IP_HEADER_BYTES_MIN = 20;
export const IP = {
  totalLength: 2,
  identification: 4,
  fragment: 6,
  protocol: 9,
  checksum: 10,
  source: 12,
} as const;
/** More fragments, and the fragment's offset. */
const FRAGMENT_BITS = 0x3fff;
const ADDRESSES_BYTES = 8;

export const PROTOCOL_TCP = 6;
const PROTOCOL_UDP = 17;
/** Where the checksum stands in a transport header; also how `csum_offset` names it. */
export const TCP_CHECKSUM_OFFSET = 16;
const UDP_CHECKSUM_OFFSET = 6;

/** Where the parts of an unfragmented IPv4 packet stand in its frame. */
export interface Ipv4Frame {
  readonly ipOffset: number;
  readonly transportOffset: number;
  readonly protocol: number;
  /** As the header says: a frame may have padding behind it. */
  readonly endOffset: number;
}

/** Undefined if the frame holds no whole IPv4 header, or a fragment. */
export function findIpv4(frame: Uint8Array): Ipv4Frame | undefined {
  const isTagged = read16(frame, ETHERNET_TYPE_OFFSET) === TYPE_VLAN;
  const typeOffset = ETHERNET_TYPE_OFFSET + (isTagged ? VLAN_TAG_BYTES : 0);
  const ipOffset = typeOffset + 2;
  if (read16(frame, typeOffset) !== TYPE_IPV4 || frame.length < ipOffset + IP_HEADER_BYTES_MIN)
    return undefined;
  const first = frame[ipOffset] ?? 0;
  const headerBytes = (first & 0xf) * 4;
  const transportOffset = ipOffset + headerBytes;
  if (first >> 4 !== 4 || headerBytes < IP_HEADER_BYTES_MIN || transportOffset > frame.length)
    return undefined;
  if ((read16(frame, ipOffset + IP.fragment) & FRAGMENT_BITS) !== 0) return undefined;
  const endOffset = ipOffset + read16(frame, ipOffset + IP.totalLength);
  return { ipOffset, transportOffset, protocol: frame[ipOffset + IP.protocol] ?? 0, endOffset };
}

/** True for a TCP or UDP packet over IPv4 whose checksum is there and right. */
export function hasRightChecksum(frame: Uint8Array): boolean {
  const found = findIpv4(frame);
  if (found === undefined || found.endOffset > frame.length) return false;
  const { protocol, transportOffset, endOffset } = found;
  if (protocol !== PROTOCOL_TCP && protocol !== PROTOCOL_UDP) return false;
  const fieldOffset =
    transportOffset + (protocol === PROTOCOL_TCP ? TCP_CHECKSUM_OFFSET : UDP_CHECKSUM_OFFSET);
  if (fieldOffset + 2 > endOffset) return false;
  // A datagram without checksum has zero there.
  if (protocol === PROTOCOL_UDP && read16(frame, fieldOffset) === 0) return false;
  const sum = pseudoHeaderSum(frame, found) + sum16(frame, transportOffset, endOffset);
  return fold(sum) === 0xffff;
}

/** What the checksum covers beside the segment: addresses, protocol, length. */
export function pseudoHeaderSum(
  frame: Uint8Array,
  { ipOffset, transportOffset, protocol, endOffset }: Ipv4Frame,
): number {
  const addresses = ipOffset + IP.source;
  return sum16(frame, addresses, addresses + ADDRESSES_BYTES) + protocol + (endOffset - transportOffset);
}

/** Sum of 16-bit words in network order; an odd byte at the end counts as a word's first. Exact up to 2^37 bytes. */
export function sum16(bytes: Uint8Array, from: number, to: number): number {
  let sum = 0;
  for (let at = from; at + 1 < to; at += 2) sum += ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
  if ((to - from) % 2 === 1) sum += (bytes[to - 1] ?? 0) << 8;
  return sum;
}

/** Adds the carries until the sum has 16 bits. */
function fold(sum: number): number {
  let folded = sum;
  while (folded > 0xffff) folded = (folded % 0x1_0000) + Math.floor(folded / 0x1_0000);
  return folded;
}

/** The field for a sum. Zero would mean "none" to UDP, and all ones is the same number. */
export function checksumOf(sum: number): number {
  return ~fold(sum) & 0xffff || 0xffff;
}

function read16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

export function write16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >> 8;
  bytes[at + 1] = value;
}
