/** Opens a link from an address of our own: each traffic type leaves through its own network. */
import { connect, type NetConnectOpts, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { OperationError, type OwnAddress, type ProtocolDefinition, toProblem } from '@skein/shared';
import { type ClientOptions, WebSocket } from 'ws';
import { type Authentication, requireProofBeyondLoopback } from './authentication.ts';
import { BulkSplitter } from './bulk-splitter.ts';
import { certifiedPeer, isTlsError, tlsOf, whyTlsFailed } from './certificates/tls.ts';
import { compileSchemas } from './compile-schemas.ts';
import { greetAsDialer, handshakeDeadlineMs, type Identity } from './handshake.ts';
import { type Handlers, Link, type LinkOptions } from './link.ts';
import { maxPayloadBytesDefault, refusalMs } from './listener.ts';
import { requireOwnAddress } from './own-address.ts';
import { SocketMessages } from './socket-messages.ts';

export interface DialOptions<P extends ProtocolDefinition>
  extends Pick<LinkOptions<P, 'dialer'>, 'requestsInFlightMax' | 'unsentBytesMax'> {
  readonly host: string;
  readonly port: number;
  /** Our own end; a subnet is looked up at each dial. */
  readonly localAddress?: OwnAddress;
  readonly protocol: P;
  readonly own: Identity;
  readonly authentication: Authentication;
  readonly handlers: Handlers<P, 'dialer'>;
  readonly maxPayloadBytes?: number;
  /** From the first packet to the last message of the handshake; 3 s unless given. */
  readonly deadlineMs?: number;
  /**
   * For a link on which much bulk comes: the connection is read into this, and frames of up to 64 KiB less reach
   * `onBulk` where they stand in it, to be used during the call only. Else each frame is a copy of its own.
   */
  readonly bulkBuffer?: Uint8Array;
  /** Refuses a peer that has proven itself, by throwing: it is not the one that was meant. */
  readonly admit?: (peer: Identity) => void;
}

/**
 * @throws OperationError link.refused, link.timeout, link.unauthenticated, link.protocol-version, link.bad-message,
 * address.unavailable, config.invalid, or the code for which the peer refused
 */
export async function dial<P extends ProtocolDefinition>(
  options: DialOptions<P>,
): Promise<Link<P, 'dialer'>> {
  const { host, port, deadlineMs = handshakeDeadlineMs } = options;
  compileSchemas(options.protocol);
  const localAddress =
    options.localAddress === undefined ? undefined : requireOwnAddress(options.localAddress);
  requireProofBeyondLoopback(options.authentication, host);
  const bulk = options.bulkBuffer === undefined ? null : new BulkConnection(options.bulkBuffer);
  const tls = tlsOf(options.authentication);
  const socket = new WebSocket(`${tls === null ? 'ws' : 'wss'}://${host}:${port}/`, {
    ...(tls as ClientOptions | null), // Its types lack a checkServerIdentity that answers as node:tls expects.
    perMessageDeflate: false,
    maxPayload: options.maxPayloadBytes ?? maxPayloadBytesDefault,
    followRedirects: false,
    ...(bulk === null ? {} : { createConnection: bulk.connect as typeof connect }),
    ...(localAddress === undefined ? {} : { localAddress }),
  });
  const messages = new SocketMessages(socket);
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    socket.terminate();
  }, deadlineMs);
  try {
    const connection = await opened(socket, {
      host,
      port,
      ...(localAddress === undefined ? {} : { localAddress }),
      isTls: tls !== null,
    });
    const peer = await greetAsDialer(socket, messages, {
      protocol: options.protocol,
      own: options.own,
      authentication: options.authentication,
      certified: certifiedPeer(connection),
      ...(options.admit === undefined ? {} : { admit: options.admit }),
    });
    const link = new Link(socket, peer, { ...options, side: 'dialer', connection }, messages.release());
    bulk?.giveTo(link);
    return link;
  } catch (error) {
    messages.release();
    socket.on('error', () => {});
    // The other end shall know why; it has as long as a listener gives.
    socket.close(1008, toProblem(error).code);
    setTimeout(() => socket.terminate(), refusalMs).unref();
    if (!isLate) throw error;
    const message = `${host}:${port} did not complete the handshake within ${deadlineMs} ms`;
    throw new OperationError({ code: 'link.timeout', message, cause: error });
  } finally {
    clearTimeout(timer);
  }
}

/** A connection whose bulk frames go to its link past ws, once there is a link. */
class BulkConnection {
  readonly #splitter: BulkSplitter;
  #connection: Socket | null = null;
  /** False after ws did not keep up with what was passed to it: then nothing is read until it asks. */
  #isReading = true;
  #link: { receiveBulkInPlace(frame: Uint8Array): void } | null = null;

  constructor(buffer: Uint8Array) {
    this.#splitter = new BulkSplitter(buffer, {
      isTakingBulk: () => this.#link !== null && this.#connection?.readableLength === 0,
      bulk: (payload) => this.#link?.receiveBulkInPlace(payload),
      pass: (bytes) => {
        this.#isReading = this.#connection?.push(Buffer.from(bytes)) ?? false;
      },
    });
  }

  /** In place of node:net's or node:tls' function of this name, in the one form that ws uses. */
  readonly connect = (ends: NetConnectOpts & Pick<ConnectionOptions, 'cert'>): Socket => {
    const withReader: ConnectionOptions & NetConnectOpts = {
      ...ends,
      onread: {
        buffer: () => this.#splitter.room,
        callback: (bytes: number) => {
          this.#isReading = true;
          this.#splitter.received(bytes);
          return this.#isReading;
        },
      },
    };
    // Whoever dials with a certificate dials TLS. It is told no server name: certificates name no addresses.
    this.#connection =
      ends.cert === undefined ? connect(withReader) : connectTls({ ...withReader, servername: '' });
    return this.#connection;
  };

  giveTo(link: { receiveBulkInPlace(frame: Uint8Array): void }): void {
    this.#link = link;
  }
}

interface Ends {
  readonly host: string;
  readonly port: number;
  readonly localAddress?: string;
  readonly isTls: boolean;
}

function opened(socket: WebSocket, ends: Ends): Promise<Socket> {
  return new Promise((resolve, reject) => {
    // 'upgrade' comes right before 'open'.
    socket.once('upgrade', ({ socket: connection }) => {
      connection.setNoDelay(true);
      socket.once('open', () => resolve(connection));
    });
    socket.once('error', (cause: NodeJS.ErrnoException) => reject(describeDialError(cause, ends)));
  });
}

function describeDialError(cause: NodeJS.ErrnoException, ends: Ends): OperationError {
  const { host, port, localAddress } = ends;
  if (cause.code === 'EADDRNOTAVAIL' && localAddress !== undefined) {
    const message = `cannot dial ${host}:${port} from ${localAddress}: is that address this machine's?`;
    return new OperationError({
      code: 'address.unavailable',
      message,
      cause,
      details: { address: localAddress },
    });
  }
  // A listener that refuses a certificate says so and hangs up; its reset may overtake what it said.
  if (isTlsError(cause) || (ends.isTls && cause.code === 'ECONNRESET')) {
    const message = `${host}:${port} does not belong to this cluster, or does not count us to it: ${whyTlsFailed(cause)}`;
    return new OperationError({
      code: 'link.unauthenticated',
      message,
      cause,
      details: { address: host, port },
    });
  }
  const message = `nothing answers at ${host}:${port}: ${cause.code ?? cause.message}`;
  return new OperationError({ code: 'link.refused', message, cause, details: { address: host, port } });
}
