/**
 * A host's end of its VXLAN tunnels: one UDP socket on the host's address of a guest network, speaking to all
 * peers, interoperable with other VTEPs. It neither fragments nor knows segments; the network's MTU must exceed
 * the inner one by `vxlanOverheadBytes` + 14. Source: RFC 7348, "VXLAN Frame Format". Omitted: a source port by
 * flow hash (one socket here; routers with several equal paths would not spread our flows), IPv6 as outer header.
 */
import { createSocket, type Socket } from 'node:dgram';
import { CounterBlock, OperationError } from '@skein/shared';
import type { Peer } from './forward.ts';
import { decodeVxlan, encodeVxlan, type VxlanPacket } from './vxlan.ts';

/** A frame as it came from a peer; the outer source address says which one. */
export interface TunnelPacket extends VxlanPacket {
  readonly address: string;
}

/** What a virtual switch needs of its uplink. */
export interface Uplink {
  /** From now on every packet goes to `receive`; the frame is a view that may be kept. */
  onPacket(receive: (packet: TunnelPacket) => void): void;
  /** `mayOutput` is asked again immediately before the system is given the packet (design: output guard). */
  send(peers: readonly Peer[], vni: number, frame: Uint8Array, mayOutput: () => boolean): void;
}

export interface VxlanTunnelOptions {
  /** The host's own IPv4 address on the guest network. */
  readonly address: string;
  /** UDP port; 0 asks for a free one. */
  readonly port: number;
  /** Packets that may wait while the socket takes no more; the newest is dropped beyond. */
  readonly queuePacketsMax?: number;
  /** Counts on where an earlier tunnel ended, and where other threads read, if given. */
  readonly counters?: CounterBlock<TunnelCounterName>;
}

export const tunnelCounterNames = [
  'sentPackets',
  'sentBytes',
  'receivedPackets',
  'receivedBytes',
  /** The queue was full. */
  'droppedFull',
  /** The output guard said no at the last moment. */
  'droppedByGuard',
  /** The system refused: too large for the network, unreachable, no memory. */
  'sendErrors',
  /** Datagrams that are no VXLAN packets. */
  'malformed',
] as const;
export type TunnelCounterName = (typeof tunnelCounterNames)[number];
export type TunnelCounters = Readonly<Record<TunnelCounterName, number>>;

interface QueuedPacket {
  readonly peer: Peer;
  readonly packet: Uint8Array;
  readonly mayOutput: () => boolean;
}

const queuePacketsMaxDefault = 1024;
/** A burst of about 1,000 frames of 1,500 bytes; the system may grant less. */
const receiveBufferBytes = 2 * 1024 * 1024;
/**
 * Packets that the event loop library holds because the kernel took none are beyond the guard's reach, so at most
 * this many; what a receiver gets of them after a stop of this process, its owner table refuses.
 */
const beyondGuardMax = 1;

export class VxlanTunnel implements Uplink {
  readonly address: string;
  readonly port: number;
  readonly #socket: Socket;
  readonly #queuePacketsMax: number;
  readonly #queue: QueuedPacket[] = [];
  readonly #counters: CounterBlock<TunnelCounterName>;
  #receive: ((packet: TunnelPacket) => void) | null = null;
  #isClosed = false;

  private constructor(socket: Socket, options: VxlanTunnelOptions) {
    this.#socket = socket;
    this.#queuePacketsMax = options.queuePacketsMax ?? queuePacketsMaxDefault;
    this.#counters = options.counters ?? new CounterBlock(tunnelCounterNames);
    const { address, port } = socket.address();
    this.address = address;
    this.port = port;
    socket.on('message', (datagram, from) => this.#onDatagram(datagram, from.address));
    // Errors of single sends come to their callbacks; what is left is of no one packet and ends no tunnel.
    socket.on('error', () => {
      this.#counters.add('sendErrors');
    });
  }

  /** Fails with `address.in-use` or `address.unavailable`. Binding is local and immediate: it needs no deadline. */
  static async open(options: VxlanTunnelOptions): Promise<VxlanTunnel> {
    const socket = createSocket({
      type: 'udp4',
      // Peers are addresses, never names. Answering at once also keeps guard and system call in one turn.
      lookup: (hostname, _options, callback) => callback(null, hostname, 4),
    });
    await bind(socket, options);
    growReceiveBuffer(socket);
    return new VxlanTunnel(socket, options);
  }

  onPacket(receive: (packet: TunnelPacket) => void): void {
    this.#receive = receive;
  }

  send(peers: readonly Peer[], vni: number, frame: Uint8Array, mayOutput: () => boolean): void {
    if (peers.length === 0 || this.#isClosed) return;
    const packet = encodeVxlan(vni, frame);
    for (const peer of peers) {
      if (this.#queue.length >= this.#queuePacketsMax) this.#counters.add('droppedFull');
      else this.#queue.push({ peer, packet, mayOutput });
    }
    this.#flush();
  }

  counters(): TunnelCounters {
    return this.#counters.readAll();
  }

  /** What is queued is discarded. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#queue.length = 0;
    await new Promise<void>((resolve) => this.#socket.close(resolve));
  }

  #flush(): void {
    let sent = 0;
    for (const queued of this.#queue) {
      if (this.#socket.getSendQueueCount() >= beyondGuardMax) break;
      sent += 1;
      if (queued.mayOutput()) this.#sendNow(queued);
      else this.#counters.add('droppedByGuard');
    }
    this.#queue.splice(0, sent);
  }

  #sendNow({ peer, packet }: QueuedPacket): void {
    this.#socket.send(packet, peer.port, peer.address, (error) => {
      if (error === null) {
        this.#counters.add('sentPackets');
        this.#counters.add('sentBytes', packet.length);
      } else {
        this.#counters.add('sendErrors');
      }
      if (this.#queue.length > 0 && !this.#isClosed) this.#flush();
    });
  }

  #onDatagram(datagram: Uint8Array, address: string): void {
    this.#counters.add('receivedPackets');
    this.#counters.add('receivedBytes', datagram.length);
    const packet = decodeVxlan(datagram);
    if (packet === null) this.#counters.add('malformed');
    else this.#receive?.({ ...packet, address });
  }
}

function bind(socket: Socket, { address, port }: VxlanTunnelOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (cause: NodeJS.ErrnoException) => {
      socket.close();
      reject(describeBindError(cause, address, port));
    };
    socket.once('error', onError);
    socket.bind({ address, port, exclusive: true }, () => {
      socket.off('error', onError);
      resolve();
    });
  });
}

function describeBindError(cause: NodeJS.ErrnoException, address: string, port: number): OperationError {
  const details = { address, port };
  if (cause.code === 'EADDRINUSE') {
    const message = `UDP port ${port} on ${address} is in use by another program: stop it or choose another vxlanPort.`;
    return new OperationError({ code: 'address.in-use', message, cause, details });
  }
  const message = `Cannot listen on UDP port ${port} of ${address} (${cause.code ?? cause.message}): is the address this host's?`;
  return new OperationError({ code: 'address.unavailable', message, cause, details });
}

/** The send buffer stays small on purpose: what the kernel has taken is beyond the output guard. */
function growReceiveBuffer(socket: Socket): void {
  try {
    socket.setRecvBufferSize(receiveBufferBytes);
  } catch {
    // The system's own size works too, it only drops sooner under bursts.
  }
}
