/**
 * ARP packets for Ethernet and IPv4: the one layout that ARP (RFC 826, "Packet format") and RARP (RFC 903) share.
 * The switch never answers for a guest; it only needs the layout for its announcements.
 */
import {
  buildFrame,
  ethernetHeaderBytes,
  etherTypeOf,
  etherTypes,
  type MacNumber,
  macBytes,
  readMac,
  readUint16,
  readUint32,
  writeMac,
  writeUint16,
  writeUint32,
} from './ethernet.ts';

export const arpOperations = { request: 1, reply: 2, reverseRequest: 3, reverseReply: 4 } as const;

const arpBytes = 28;
const hardwareEthernet = 1;
const ipv4Bytes = 4;

/** IPv4 addresses are unsigned 32-bit numbers. */
export interface ArpPacket {
  readonly operation: number;
  readonly senderMac: MacNumber;
  readonly senderIpv4: number;
  readonly targetMac: MacNumber;
  readonly targetIpv4: number;
}

export interface ArpAddressing {
  readonly destination: MacNumber;
  readonly source: MacNumber;
  readonly etherType: typeof etherTypes.arp | typeof etherTypes.rarp;
}

export function buildArpFrame(addressing: ArpAddressing, packet: ArpPacket): Uint8Array {
  const payload = new Uint8Array(arpBytes);
  writeUint16(payload, 0, hardwareEthernet);
  writeUint16(payload, 2, etherTypes.ipv4);
  payload[4] = macBytes;
  payload[5] = ipv4Bytes;
  writeUint16(payload, 6, packet.operation);
  writeMac(payload, 8, packet.senderMac);
  writeUint32(payload, 14, packet.senderIpv4);
  writeMac(payload, 18, packet.targetMac);
  writeUint32(payload, 24, packet.targetIpv4);
  return buildFrame(addressing, payload);
}

/** Null where the frame is not a complete ARP or RARP packet for Ethernet and IPv4. */
export function parseArpFrame(frame: Uint8Array): ArpPacket | null {
  if (frame.length < ethernetHeaderBytes + arpBytes) return null;
  const type = etherTypeOf(frame);
  if (type !== etherTypes.arp && type !== etherTypes.rarp) return null;
  const at = ethernetHeaderBytes;
  const isEthernetIpv4 =
    readUint16(frame, at) === hardwareEthernet &&
    readUint16(frame, at + 2) === etherTypes.ipv4 &&
    frame[at + 4] === macBytes &&
    frame[at + 5] === ipv4Bytes;
  if (!isEthernetIpv4) return null;
  return {
    operation: readUint16(frame, at + 6),
    senderMac: readMac(frame, at + 8),
    senderIpv4: readUint32(frame, at + 14),
    targetMac: readMac(frame, at + 18),
    targetIpv4: readUint32(frame, at + 24),
  };
}
