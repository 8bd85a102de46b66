/**
 * Writes captures that tcpdump and Wireshark read: one section, any number of Ethernet interfaces, packets with
 * times in nanoseconds. Pure encoding; where the bytes go is the caller's. Source: IETF
 * draft-ietf-opsawg-pcapng, "Section Header Block", "Interface Description Block", "Enhanced Packet Block".
 */
import { invariant } from '@skein/shared';

const blockTypes = { sectionHeader: 0x0a0d_0d0a, interfaceDescription: 1, enhancedPacket: 6 } as const;
const byteOrderMagic = 0x1a2b_3c4d;
const linkTypeEthernet = 1;

const optionCodes = {
  end: 0,
  sectionApplication: 4,
  interfaceName: 2,
  timestampResolution: 9,
  packetFlags: 2,
} as const;
/** if_tsresol: powers of ten, so 10^-9 s. */
const nanoseconds = 9;

export type PacketDirection = 'unknown' | 'inbound' | 'outbound';

const directionFlags: Readonly<Record<PacketDirection, number>> = { unknown: 0, inbound: 1, outbound: 2 };

export interface CaptureInterface {
  readonly name: string;
  /** Longer frames are cut to this; 0 cuts nothing. */
  readonly snapLengthBytes: number;
}

export interface CapturedPacket {
  /** What `addInterface` returned. */
  readonly interfaceId: number;
  /** Nanoseconds since 1970-01-01 UTC. */
  readonly timestampNs: bigint;
  readonly frame: Uint8Array;
  readonly direction?: PacketDirection;
}

export class PcapngEncoder {
  readonly #interfaces: CaptureInterface[] = [];

  /** First of all; its length is left open, as the capture is a stream. */
  sectionHeader(): Uint8Array {
    const body = new Uint8Array(16);
    const view = new DataView(body.buffer);
    view.setUint32(0, byteOrderMagic, true);
    view.setUint16(4, 1, true); // major version; the minor is 0
    view.setBigInt64(8, -1n, true);
    return block(blockTypes.sectionHeader, [
      body,
      option(optionCodes.sectionApplication, ascii('skein')),
      endOfOptions,
    ]);
  }

  /** Before the first packet of that interface. */
  addInterface(described: CaptureInterface): { readonly interfaceId: number; readonly block: Uint8Array } {
    const interfaceId = this.#interfaces.length;
    this.#interfaces.push(described);
    const body = new Uint8Array(8);
    const view = new DataView(body.buffer);
    view.setUint16(0, linkTypeEthernet, true);
    view.setUint32(4, described.snapLengthBytes, true);
    const options = [
      option(optionCodes.interfaceName, ascii(described.name)),
      option(optionCodes.timestampResolution, Uint8Array.of(nanoseconds)),
      endOfOptions,
    ];
    return { interfaceId, block: block(blockTypes.interfaceDescription, [body, ...options]) };
  }

  packet(captured: CapturedPacket): Uint8Array {
    const { interfaceId, timestampNs, frame, direction = 'unknown' } = captured;
    const described = this.#interfaces[interfaceId];
    invariant(described !== undefined, 'a captured packet names an interface that was added');
    const kept = described.snapLengthBytes === 0 ? frame : frame.subarray(0, described.snapLengthBytes);
    const header = new Uint8Array(20);
    const view = new DataView(header.buffer);
    view.setUint32(0, interfaceId, true);
    view.setUint32(4, Number((timestampNs >> 32n) & 0xffff_ffffn), true);
    view.setUint32(8, Number(timestampNs & 0xffff_ffffn), true);
    view.setUint32(12, kept.length, true);
    view.setUint32(16, frame.length, true);
    const flags = new Uint8Array(4);
    new DataView(flags.buffer).setUint32(0, directionFlags[direction], true);
    const options = [option(optionCodes.packetFlags, flags), endOfOptions];
    return block(blockTypes.enhancedPacket, [header, padded(kept), ...options]);
  }
}

const endOfOptions = new Uint8Array(4);

function option(code: number, value: Uint8Array): Uint8Array {
  const encoded = new Uint8Array(4 + paddedLength(value.length));
  const view = new DataView(encoded.buffer);
  view.setUint16(0, code, true);
  view.setUint16(2, value.length, true);
  encoded.set(value, 4);
  return encoded;
}

/** Type, total length, body, total length again: a reader may go backwards. */
function block(type: number, parts: readonly Uint8Array[]): Uint8Array {
  const total = parts.reduce((sum, part) => sum + part.length, 12);
  const encoded = new Uint8Array(total);
  const view = new DataView(encoded.buffer);
  view.setUint32(0, type, true);
  view.setUint32(4, total, true);
  let at = 8;
  for (const part of parts) {
    encoded.set(part, at);
    at += part.length;
  }
  view.setUint32(at, total, true);
  return encoded;
}

function paddedLength(bytes: number): number {
  return (bytes + 3) & ~3;
}

function padded(bytes: Uint8Array): Uint8Array {
  const encoded = new Uint8Array(paddedLength(bytes.length));
  encoded.set(bytes);
  return encoded;
}

/** Names of hosts, VMs and vNICs are ASCII; whatever is not becomes a question mark. */
function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (character) =>
    /^[\x20-\x7e]$/.test(character) ? character.charCodeAt(0) : 0x3f,
  );
}
