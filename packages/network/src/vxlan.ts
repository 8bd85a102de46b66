/**
 * The VXLAN header that stands between the outer UDP header and the inner Ethernet frame. Source: RFC 7348,
 * "VXLAN Frame Format". Reserved fields are zero when sent and ignored when received.
 */
import { invariant } from '@skein/shared';
import { ethernetHeaderBytes, readUint32, writeUint32 } from './ethernet.ts';

export const vxlanHeaderBytes = 8;
export const vniMax = 0xff_ffff;

/** What a VXLAN packet adds to an inner frame on an IPv4 network's MTU: IPv4 20, UDP 8, VXLAN 8 bytes. */
export const vxlanOverheadBytes = 20 + 8 + vxlanHeaderBytes;

const vniPresentFlag = 0x08;

export interface VxlanPacket {
  readonly vni: number;
  readonly frame: Uint8Array;
}

export function encodeVxlan(vni: number, frame: Uint8Array): Uint8Array {
  invariant(Number.isInteger(vni) && vni >= 0 && vni <= vniMax, 'a VNI has 24 bits');
  const packet = new Uint8Array(vxlanHeaderBytes + frame.length);
  packet[0] = vniPresentFlag;
  writeUint32(packet, 4, vni * 0x100);
  packet.set(frame, vxlanHeaderBytes);
  return packet;
}

/** Null for what is no VXLAN packet with a whole inner Ethernet header. The frame is a view, not a copy. */
export function decodeVxlan(packet: Uint8Array): VxlanPacket | null {
  if (packet.length < vxlanHeaderBytes + ethernetHeaderBytes) return null;
  if (((packet[0] ?? 0) & vniPresentFlag) === 0) return null;
  return { vni: Math.floor(readUint32(packet, 4) / 0x100), frame: packet.subarray(vxlanHeaderBytes) };
}
