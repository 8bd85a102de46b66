/** Accepts links of one protocol on one address. Strangers are cut off within the handshake's deadline. */
import { createServer, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { OperationError, type OwnAddress, type ProtocolDefinition, toProblem } from '@skein/shared';
import { type WebSocket, WebSocketServer } from 'ws';
import { type Authentication, requireProofBeyondLoopback } from './authentication.ts';
import { changeOf } from './certificates/credentials.ts';
import { certifiedPeer, tlsOf, whyTlsFailed } from './certificates/tls.ts';
import { compileSchemas } from './compile-schemas.ts';
import { greetAsListener, handshakeBytesMax, handshakeDeadlineMs, type Identity } from './handshake.ts';
import { type CloseReason, type Handlers, Link, type LinkOptions } from './link.ts';
import { requireOwnAddress } from './own-address.ts';
import { SocketMessages } from './socket-messages.ts';

export interface ListenOptions<P extends ProtocolDefinition>
  extends Pick<LinkOptions<P, 'listener'>, 'requestsInFlightMax' | 'unsentBytesMax'> {
  /** Where to listen; a subnet is looked up. */
  readonly host: OwnAddress;
  /** 0 asks for a free port. */
  readonly port: number;
  readonly protocol: P;
  readonly own: Identity;
  readonly authentication: Authentication;
  readonly handlers: Handlers<P, 'listener'>;
  readonly maxPayloadBytes?: number;
  /** Refuses a peer that has proven itself, by throwing. */
  readonly admit?: (peer: Identity) => void;
  readonly onLink?: (link: Link<P, 'listener'>) => void;
  /** A connection that came to nothing. */
  readonly onRejected?: (reason: CloseReason, address: string) => void;
}

export interface Listener<P extends ProtocolDefinition> {
  readonly address: string;
  readonly port: number;
  readonly links: ReadonlySet<Link<P, 'listener'>>;
  close(): Promise<void>;
}

export const maxPayloadBytesDefault = 1 << 20;
const connectionsMax = 4096;
/** A refused or closing peer has this long to take our close frame. */
export const refusalMs = 200;

/** @throws OperationError address.in-use, address.unavailable, config.invalid */
export async function listen<P extends ProtocolDefinition>(options: ListenOptions<P>): Promise<Listener<P>> {
  const host = requireOwnAddress(options.host);
  compileSchemas(options.protocol);
  requireProofBeyondLoopback(options.authentication, host);
  const { http, stopRenewing } = createHttp(options);
  http.headersTimeout = handshakeDeadlineMs;
  http.requestTimeout = handshakeDeadlineMs;
  http.maxConnections = connectionsMax;
  http.on('connection', (socket) => socket.setNoDelay(true));
  const server = new WebSocketServer({
    server: http,
    maxPayload: options.maxPayloadBytes ?? maxPayloadBytesDefault,
    perMessageDeflate: false,
    clientTracking: true,
  });
  server.on('error', () => {}); // The http server's own error handler tells.
  try {
    await bind(http, host, options.port);
  } catch (error) {
    stopRenewing();
    throw error;
  }
  const links = new Set<Link<P, 'listener'>>();
  server.on('connection', (socket, request) => {
    void welcome(socket, request.socket, options, links);
  });
  return {
    address: host,
    port: (http.address() as AddressInfo).port,
    links,
    close: () => {
      stopRenewing();
      return closeAll(http, server, links);
    },
  };
}

const renewalPeriodMs = 60_000;

/** With certificates it speaks TLS, and takes up renewed ones. */
function createHttp<P extends ProtocolDefinition>({
  authentication,
  onRejected,
}: ListenOptions<P>): { readonly http: Server | TlsServer; readonly stopRenewing: () => void } {
  const answer = (_request: unknown, response: ServerResponse): void => {
    response.writeHead(426, { connection: 'close' }).end();
  };
  const tls = tlsOf(authentication);
  if (tls === null || authentication.kind !== 'certificate') {
    return { http: createServer({ connectionsCheckingInterval: 500 }, answer), stopRenewing: () => {} };
  }
  const http = createTlsServer(
    { ...tls, connectionsCheckingInterval: 500, handshakeTimeout: handshakeDeadlineMs },
    answer,
  );
  http.on('tlsClientError', (error, socket) => {
    const message = `no certificate of this cluster: ${whyTlsFailed(error)}`;
    onRejected?.({ code: 'link.unauthenticated', message }, socket.remoteAddress ?? 'unknown');
  });
  let change = changeOf(authentication.directory);
  const timer = setInterval(() => {
    const latest = changeOf(authentication.directory);
    if (latest === null || latest === change) return;
    try {
      http.setSecureContext(tlsOf(authentication) ?? {});
      change = latest;
    } catch (error) {
      // What it has holds for a third of its life yet, and the next look may find a better file.
      onRejected?.(toProblem(error), 'this host');
    }
  }, renewalPeriodMs);
  timer.unref();
  return { http, stopRenewing: () => clearInterval(timer) };
}

async function welcome<P extends ProtocolDefinition>(
  socket: WebSocket,
  connection: Socket,
  options: ListenOptions<P>,
  links: Set<Link<P, 'listener'>>,
): Promise<void> {
  const address = connection.remoteAddress ?? 'unknown';
  const messages = new SocketMessages(socket);
  const unlimit = limitStranger(socket, connection);
  try {
    const peer = await greetAsListener(socket, messages, {
      protocol: options.protocol,
      own: options.own,
      authentication: options.authentication,
      certified: certifiedPeer(connection),
      ...(options.admit === undefined ? {} : { admit: options.admit }),
    });
    unlimit();
    const link = new Link(socket, peer, { ...options, side: 'listener', connection }, messages.release());
    links.add(link);
    void link.closed.then(() => links.delete(link));
    options.onLink?.(link);
  } catch (error) {
    unlimit();
    messages.release();
    const { code, message } = toProblem(error);
    socket.on('error', () => {});
    socket.close(1008, code);
    setTimeout(() => socket.terminate(), refusalMs).unref();
    options.onRejected?.({ code, message }, address);
  }
}

/**
 * Cuts off a connection that sends more than a handshake before it has proven itself: the limit of a link's messages
 * may be megabytes, and strangers may be many.
 */
function limitStranger(socket: WebSocket, connection: Socket): () => void {
  let bytes = 0;
  const count = (data: Buffer): void => {
    bytes += data.length;
    if (bytes <= handshakeBytesMax) return;
    const message = 'a peer that had not proven itself sent more than a handshake';
    socket.emit('error', new OperationError({ code: 'link.too-large', message }));
    socket.terminate();
  };
  connection.prependListener('data', count);
  return () => connection.off('data', count);
}

function bind(http: Server | TlsServer, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    http.once('error', (cause: NodeJS.ErrnoException) => reject(describeBindError(cause, host, port)));
    http.listen({ host, port, exclusive: true }, resolve);
  });
}

function describeBindError(cause: NodeJS.ErrnoException, host: string, port: number): OperationError {
  const details = { address: host, port };
  if (cause.code === 'EADDRINUSE') {
    const message = `port ${port} on ${host} is in use by another program: stop it or choose another port`;
    return new OperationError({ code: 'address.in-use', message, cause, details });
  }
  const message = `cannot listen on ${host}:${port} (${cause.code ?? cause.message}): is the address this machine's?`;
  return new OperationError({ code: 'address.unavailable', message, cause, details });
}

async function closeAll<P extends ProtocolDefinition>(
  http: Server | TlsServer,
  server: WebSocketServer,
  links: ReadonlySet<Link<P, 'listener'>>,
): Promise<void> {
  for (const link of links) link.close('the listener is closing');
  for (const socket of server.clients) socket.close(1001);
  server.close();
  const closed = new Promise<void>((resolve) => http.close(() => resolve()));
  const timer = setTimeout(() => {
    for (const socket of server.clients) socket.terminate();
    http.closeAllConnections();
  }, refusalMs).unref();
  await closed;
  // It would keep all that the listener's options refer to.
  clearTimeout(timer);
}
