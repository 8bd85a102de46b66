/**
 * A station on a segment that speaks just enough to be met by a Linux kernel: it answers ARP, asks ARP, and sends
 * ICMP echo requests. Sources: RFC 826; RFC 791, "Internet Header Format"; RFC 792, "Echo or Echo Reply Message".
 */
import {
  arpOperations,
  broadcastMac,
  buildArpFrame,
  buildFrame,
  etherTypeOf,
  etherTypes,
  parseArpFrame,
  parseMac,
  readUint16,
  writeUint16,
  writeUint32,
} from '@skein/network';

const protocols = { icmp: 1, udp: 17 } as const;
const ipHeaderBytes = 20;

type Matcher = (frame: Uint8Array) => boolean;

export class InnerStation {
  readonly mac: string;
  readonly #ipv4: number;
  readonly #transmit: (frame: Uint8Array) => void;
  readonly #waiting = new Set<{ matches: Matcher; resolve: (frame: Uint8Array) => void }>();

  constructor(mac: string, ipv4: number, transmit: (frame: Uint8Array) => void) {
    this.mac = mac;
    this.#ipv4 = ipv4;
    this.#transmit = transmit;
  }

  receive(received: Uint8Array): void {
    const frame = received.slice();
    this.#answerArp(frame);
    for (const waiter of this.#waiting) {
      if (!waiter.matches(frame)) continue;
      this.#waiting.delete(waiter);
      waiter.resolve(frame);
    }
  }

  /** The MAC that answers for the address. */
  async resolve(ipv4: number): Promise<number> {
    const isReply = (frame: Uint8Array) => {
      const packet = parseArpFrame(frame);
      return packet?.operation === arpOperations.reply && packet.senderIpv4 === ipv4;
    };
    const replied = this.#next(isReply, 'an ARP reply');
    this.#sendArp(broadcastMac, arpOperations.request, 0, ipv4);
    return parseArpFrame(await replied)?.senderMac ?? 0;
  }

  /** Sends an echo request with `payloadBytes` and returns the payload of the reply. */
  async ping(destination: number, ipv4: number, payloadBytes: number): Promise<Uint8Array> {
    const isReply = (frame: Uint8Array) => protocolOf(frame) === protocols.icmp && frame[34] === 0;
    const replied = this.#next(isReply, 'an echo reply');
    const packet = new Uint8Array(ipHeaderBytes + 8 + payloadBytes);
    packet[0] = 0x45;
    writeUint16(packet, 2, packet.length);
    packet[8] = 64; // time to live
    packet[9] = protocols.icmp;
    writeUint32(packet, 12, this.#ipv4);
    writeUint32(packet, 16, ipv4);
    writeUint16(packet, 10, internetChecksum(packet.subarray(0, ipHeaderBytes)));
    packet[ipHeaderBytes] = 8; // echo request
    for (let index = 0; index < payloadBytes; index += 1) packet[ipHeaderBytes + 8 + index] = index & 0xff;
    writeUint16(packet, ipHeaderBytes + 2, internetChecksum(packet.subarray(ipHeaderBytes)));
    const header = { destination, source: parseMac(this.mac), etherType: etherTypes.ipv4 };
    this.#transmit(buildFrame(header, packet));
    return (await replied).subarray(42);
  }

  /** The payload of the next UDP datagram that comes. */
  async nextDatagram(): Promise<string> {
    const frame = await this.#next((each) => protocolOf(each) === protocols.udp, 'a UDP datagram');
    const bytes = readUint16(frame, 38) - 8; // without padding
    return new TextDecoder().decode(frame.subarray(42, 42 + bytes));
  }

  #answerArp(frame: Uint8Array): void {
    const packet = parseArpFrame(frame);
    if (packet?.operation !== arpOperations.request || packet.targetIpv4 !== this.#ipv4) return;
    this.#sendArp(packet.senderMac, arpOperations.reply, packet.senderMac, packet.senderIpv4);
  }

  #sendArp(destination: number, operation: number, targetMac: number, targetIpv4: number): void {
    const own = parseMac(this.mac);
    const packet = { operation, senderMac: own, senderIpv4: this.#ipv4, targetMac, targetIpv4 };
    this.#transmit(buildArpFrame({ destination, source: own, etherType: etherTypes.arp }, packet));
  }

  #next(matches: Matcher, what: string): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${what} did not come within 10 s`)), 10_000);
      this.#waiting.add({
        matches,
        resolve: (frame) => {
          clearTimeout(timer);
          resolve(frame);
        },
      });
    });
  }
}

function protocolOf(frame: Uint8Array): number {
  return etherTypeOf(frame) === etherTypes.ipv4 ? (frame[23] ?? 0) : 0;
}

function internetChecksum(bytes: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
