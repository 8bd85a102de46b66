/**
 * Ethernet II frames as guests send them: addresses, EtherTypes, limits; no preamble, no frame check sequence,
 * no padding to 64 bytes (no wire here needs it). Source: IEEE 802.3 "MAC frame and packet specifications";
 * IEEE 802.1Q "Reserved addresses".
 * Inside the package a MAC address is a number of 48 bits: a map's key that needs no string per frame.
 */
import { invariant } from '@skein/shared';

/** A MAC address as an unsigned 48-bit number, first octet on the wire most significant. */
export type MacNumber = number;

export const macBytes = 6;
export const ethernetHeaderBytes = 14;
export const broadcastMac: MacNumber = 0xffff_ffff_ffff;

export const etherTypes = {
  ipv4: 0x0800,
  arp: 0x0806,
  rarp: 0x8035,
  vlan: 0x8100,
  /** Service tag of provider bridges (802.1ad). */
  serviceVlan: 0x88a8,
} as const;

const macPattern = /^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/;

/** `text` is a `MacAddress` of the shared schemas, or a group address in the same form. */
export function parseMac(text: string): MacNumber {
  invariant(
    macPattern.test(text),
    `a MAC address has the form 52:54:00:12:34:56, not ${JSON.stringify(text)}`,
  );
  return Number.parseInt(text.replaceAll(':', ''), 16);
}

export function formatMac(mac: MacNumber): string {
  const digits = mac.toString(16).padStart(2 * macBytes, '0');
  return (digits.match(/../g) ?? []).join(':');
}

/** A group address, the broadcast address included: lowest bit of the first octet. */
export function isGroupMac(mac: MacNumber): boolean {
  return (Math.floor(mac / 2 ** 40) & 1) === 1;
}

const reservedGroupBase = 0x0180_c200_0000;

/** Link-local group addresses (spanning tree, LLDP, pause): a bridge never forwards them. */
export function isReservedGroupMac(mac: MacNumber): boolean {
  return mac >= reservedGroupBase && mac <= reservedGroupBase + 0xf;
}

/** The caller has checked that `offset + 6` bytes are there. */
export function readMac(bytes: Uint8Array, offset: number): MacNumber {
  const high = (octet(bytes, offset) << 8) | octet(bytes, offset + 1);
  return high * 2 ** 32 + readUint32(bytes, offset + 2);
}

export function writeMac(bytes: Uint8Array, offset: number, mac: MacNumber): void {
  const high = Math.floor(mac / 2 ** 32);
  bytes[offset] = high >>> 8;
  bytes[offset + 1] = high & 0xff;
  writeUint32(bytes, offset + 2, mac % 2 ** 32);
}

export function destinationOf(frame: Uint8Array): MacNumber {
  return readMac(frame, 0);
}

export function sourceOf(frame: Uint8Array): MacNumber {
  return readMac(frame, macBytes);
}

export function etherTypeOf(frame: Uint8Array): number {
  return readUint16(frame, 2 * macBytes);
}

export interface EthernetHeader {
  readonly destination: MacNumber;
  readonly source: MacNumber;
  readonly etherType: number;
}

export function buildFrame(header: EthernetHeader, payload: Uint8Array): Uint8Array {
  const frame = new Uint8Array(ethernetHeaderBytes + payload.length);
  writeMac(frame, 0, header.destination);
  writeMac(frame, macBytes, header.source);
  writeUint16(frame, 2 * macBytes, header.etherType);
  frame.set(payload, ethernetHeaderBytes);
  return frame;
}

function octet(bytes: Uint8Array, offset: number): number {
  const value = bytes[offset];
  invariant(value !== undefined, 'a field is read only where its length was checked');
  return value;
}

/** Network byte order, as all fields here. */
export function readUint16(bytes: Uint8Array, offset: number): number {
  return (octet(bytes, offset) << 8) | octet(bytes, offset + 1);
}

export function readUint32(bytes: Uint8Array, offset: number): number {
  return readUint16(bytes, offset) * 0x1_0000 + readUint16(bytes, offset + 2);
}

export function writeUint16(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = (value >>> 8) & 0xff;
  bytes[offset + 1] = value & 0xff;
}

export function writeUint32(bytes: Uint8Array, offset: number, value: number): void {
  writeUint16(bytes, offset, Math.floor(value / 0x1_0000));
  writeUint16(bytes, offset + 2, value % 0x1_0000);
}
