/** Frames with IPv4, TCP and UDP in them, for tests; and their checksums, reckoned in another way than the device does. */

export interface PacketOptions {
  readonly protocol: 'tcp' | 'udp';
  readonly data: Uint8Array;
  readonly isTagged?: boolean;
  /** Of 4 bytes each. */
  readonly ipOptions?: number;
  readonly tcpOptions?: number;
  readonly sequence?: number;
  readonly identification?: number;
  readonly tcpFlags?: number;
}

export interface BuiltPacket {
  readonly frame: Uint8Array;
  readonly ipOffset: number;
  readonly transportOffset: number;
  readonly dataOffset: number;
}

/** Sums as RFC 1071 has it, modulo 2^16 - 1: the field makes the whole divisible. */
function remainder(bytes: readonly number[]): number {
  let sum = 0n;
  for (const [index, byte] of bytes.entries()) sum += BigInt(byte) << (index % 2 === 0 ? 8n : 0n);
  return Number(sum % 65_535n);
}

/** A packet whose checksums are all right. */
export function packet(options: PacketOptions): BuiltPacket {
  const { protocol, data, isTagged = false, ipOptions = 0, tcpOptions = 0 } = options;
  const ethernet = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, ...(isTagged ? [0x81, 0, 0, 7] : []), 8, 0];
  const transport = protocol === 'tcp' ? tcpHeader(options, tcpOptions) : udpHeader(data.length);
  const ipBytes = 20 + ipOptions * 4;
  const total = ipBytes + transport.length + data.length;
  const identification = options.identification ?? 7;
  const ip = [
    ...[0x40 | (ipBytes / 4), 0, total >> 8, total & 0xff, identification >> 8, identification & 0xff],
    ...[0x40, 0, 64, protocol === 'tcp' ? 6 : 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2],
    ...new Array<number>(ipOptions * 4).fill(1),
  ];
  const bytes = Uint8Array.from([...ethernet, ...ip, ...transport, ...data]);
  const ipOffset = ethernet.length;
  const transportOffset = ipOffset + ipBytes;
  const built = { frame: bytes, ipOffset, transportOffset, dataOffset: transportOffset + transport.length };
  setField(bytes, ipOffset + 10, remainder(ip));
  const field = transportOffset + (protocol === 'tcp' ? 16 : 6);
  setField(bytes, field, transportRemainder(built));
  return built;
}

/** The same with what a driver leaves in the field: the sum of the pseudo header. */
export function withoutChecksum(built: BuiltPacket): Uint8Array {
  const frame = built.frame.slice();
  const isTcp = frame[built.ipOffset + 9] === 6;
  const field = built.transportOffset + (isTcp ? 16 : 6);
  const pseudo = pseudoHeader(built);
  const sum = remainder(pseudo);
  frame[field] = sum >> 8;
  frame[field + 1] = sum & 0xff;
  return frame;
}

/** Whether all the checksums of a packet are right. */
export function areChecksumsRight(built: BuiltPacket): boolean {
  const ip = [...built.frame.subarray(built.ipOffset, built.transportOffset)];
  return remainder(ip) === 0 && transportRemainder(built) === 0;
}

function transportRemainder(built: BuiltPacket): number {
  return remainder([...pseudoHeader(built), ...built.frame.subarray(built.transportOffset)]);
}

function pseudoHeader({ frame, ipOffset, transportOffset }: BuiltPacket): number[] {
  const length = frame.length - transportOffset;
  const addresses = frame.subarray(ipOffset + 12, ipOffset + 20);
  return [...addresses, 0, frame[ipOffset + 9] ?? 0, (length >> 8) & 0xff, length & 0xff];
}

function setField(bytes: Uint8Array, at: number, sum: number): void {
  const field = 0xffff - sum;
  bytes[at] = field >> 8;
  bytes[at + 1] = field & 0xff;
}

function tcpHeader({ sequence = 1000, tcpFlags = 0x18 }: PacketOptions, options: number): number[] {
  const number = [24, 16, 8, 0].map((shift) => (sequence >>> shift) & 0xff);
  const words = 5 + options;
  return [
    ...[0x30, 0x39, 0, 80, ...number, 0, 0, 0, 9, words << 4, tcpFlags, 0x20, 0, 0, 0, 0, 0],
    ...new Array<number>(options * 4).fill(1),
  ];
}

function udpHeader(dataBytes: number): number[] {
  const length = 8 + dataBytes;
  return [0x30, 0x39, 0, 53, length >> 8, length & 0xff, 0, 0];
}
