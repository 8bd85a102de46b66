/**
 * Makes the frames that go on the wire of what a driver left to its device: completes a checksum, cuts a large TCP packet
 * into segments. Whatever can't be done as asked is dropped, as a wire drops what is wrong.
 * Omitted: segmentation of TCP over IPv6 and of UDP, and of packets that signal congestion (ECN); none is offered.
 * Source: virtio 1.2, "Network Device", "Packet Transmission"; RFC 9293.
 */
import {
  checksumOf,
  findIpv4,
  IP,
  PROTOCOL_TCP,
  pseudoHeaderSum,
  sum16,
  TCP_CHECKSUM_OFFSET,
  write16,
} from './checksum.ts';

/** struct virtio_net_hdr; 16-bit fields in little endian. */
const HEADER = { flags: 0, segmentation: 1, segmentBytes: 4, checksumStart: 6, checksumOffset: 8 } as const;
const FLAG_NEEDS_CHECKSUM = 1;
const SEGMENTATION_NONE = 0;
const SEGMENTATION_TCP4 = 1;

/** A packet of 64 KiB behind an Ethernet header with a VLAN tag. */
export const LARGE_FRAME_BYTES_MAX = 18 + 65_535;
/** More would be segments of less than 512 bytes, which no usual path needs: a way to make much work of little. */
const SEGMENTS_MAX = 128;

const TCP = { sequence: 4, dataOffset: 12, flags: 13 } as const;
const TCP_HEADER_BYTES_MIN = 20;
const FIN_PUSH = 0x09;
const CONGESTION_WINDOW_REDUCED = 0x80;

/** What driver and device agreed on. */
export interface TransmitOffloads {
  readonly checksum: boolean;
  readonly segmentation: boolean;
  readonly frameBytesMax: number;
}

/** `frame` is changed in place. Undefined: to be dropped. */
export function wireFrames(
  header: Uint8Array,
  frame: Uint8Array,
  offloads: TransmitOffloads,
): readonly Uint8Array[] | undefined {
  const view = new DataView(header.buffer, header.byteOffset, header.length);
  const flags = view.getUint8(HEADER.flags);
  const segmentation = view.getUint8(HEADER.segmentation);
  if ((flags & ~(offloads.checksum ? FLAG_NEEDS_CHECKSUM : 0)) !== 0) return undefined;
  const start = view.getUint16(HEADER.checksumStart, true);
  const offset = view.getUint16(HEADER.checksumOffset, true);
  if (segmentation === SEGMENTATION_NONE) {
    if (frame.length > offloads.frameBytesMax) return undefined;
    if (flags === 0) return [frame];
    return completeChecksum(frame, start, offset) ? [frame] : undefined;
  }
  if (segmentation !== SEGMENTATION_TCP4 || !offloads.segmentation || flags === 0) return undefined;
  if (offset !== TCP_CHECKSUM_OFFSET) return undefined;
  return segment(frame, start, view.getUint16(HEADER.segmentBytes, true), offloads.frameBytesMax);
}

/** The field holds the sum of the pseudo header already. False if it is not within the frame. */
function completeChecksum(frame: Uint8Array, start: number, offset: number): boolean {
  if (start + offset + 2 > frame.length) return false;
  write16(frame, start + offset, checksumOf(sum16(frame, start, frame.length)));
  return true;
}

function segment(
  frame: Uint8Array,
  tcpOffset: number,
  segmentBytes: number,
  frameBytesMax: number,
): readonly Uint8Array[] | undefined {
  const found = findIpv4(frame);
  if (found?.protocol !== PROTOCOL_TCP || found.transportOffset !== tcpOffset) return undefined;
  const tcpBytes = ((frame[tcpOffset + TCP.dataOffset] ?? 0) >> 4) * 4;
  const dataOffset = tcpOffset + tcpBytes;
  if (tcpBytes < TCP_HEADER_BYTES_MIN || dataOffset > frame.length) return undefined;
  const count = Math.max(1, Math.ceil((frame.length - dataOffset) / segmentBytes));
  if (segmentBytes === 0 || dataOffset + segmentBytes > frameBytesMax || count > SEGMENTS_MAX)
    return undefined;
  return Array.from({ length: count }, (_, index) => {
    const dataFrom = dataOffset + index * segmentBytes;
    const data = frame.subarray(dataFrom, dataFrom + segmentBytes);
    const one = new Uint8Array(dataOffset + data.length);
    one.set(frame.subarray(0, dataOffset));
    one.set(data, dataOffset);
    const place = { ...found, endOffset: one.length };
    finishIp(one, found.ipOffset, tcpOffset, index);
    const isLast = index === count - 1;
    const cleared = (isLast ? 0 : FIN_PUSH) | (index === 0 ? 0 : CONGESTION_WINDOW_REDUCED);
    const view = new DataView(one.buffer);
    view.setUint32(tcpOffset + TCP.sequence, view.getUint32(tcpOffset + TCP.sequence) + index * segmentBytes);
    view.setUint8(tcpOffset + TCP.flags, view.getUint8(tcpOffset + TCP.flags) & ~cleared);
    write16(one, tcpOffset + TCP_CHECKSUM_OFFSET, 0);
    const sum = pseudoHeaderSum(one, place) + sum16(one, tcpOffset, one.length);
    write16(one, tcpOffset + TCP_CHECKSUM_OFFSET, checksumOf(sum));
    return one;
  });
}

/** Length, identification and checksum of a segment's IP header. */
function finishIp(one: Uint8Array, ipOffset: number, ipEnd: number, index: number): void {
  const view = new DataView(one.buffer);
  const identification = ipOffset + IP.identification;
  view.setUint16(ipOffset + IP.totalLength, one.length - ipOffset);
  view.setUint16(identification, view.getUint16(identification) + index);
  view.setUint16(ipOffset + IP.checksum, 0);
  view.setUint16(ipOffset + IP.checksum, checksumOf(sum16(one, ipOffset, ipEnd)));
}
