/** Accepts links of one protocol on one address. Strangers are cut off within the handshake's deadline. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { OperationError, type ProtocolDefinition, toProblem } from '@skein/shared';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Authentication } from './authentication.ts';
import { greetAsListener, handshakeDeadlineMs, type Identity } from './handshake.ts';
import { type CloseReason, type Handlers, Link, type LinkOptions } from './link.ts';
import { SocketMessages } from './socket-messages.ts';

export interface ListenOptions<P extends ProtocolDefinition>
  extends Pick<LinkOptions<P, 'listener'>, 'requestsInFlightMax' | 'unsentBytesMax'> {
  readonly host: string;
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

/** @throws OperationError address.in-use, address.unavailable, config.invalid */
export async function listen<P extends ProtocolDefinition>(options: ListenOptions<P>): Promise<Listener<P>> {
  refuseOpenListener(options);
  const http = createServer({ connectionsCheckingInterval: 500 }, (_request, response) => {
    response.writeHead(426, { connection: 'close' }).end();
  });
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
  await bind(http, options.host, options.port);
  const links = new Set<Link<P, 'listener'>>();
  server.on('connection', (socket, request) => {
    void welcome(socket, options, links, request.socket.remoteAddress ?? 'unknown');
  });
  return {
    address: options.host,
    port: (http.address() as AddressInfo).port,
    links,
    close: () => closeAll(http, server, links),
  };
}

async function welcome<P extends ProtocolDefinition>(
  socket: WebSocket,
  options: ListenOptions<P>,
  links: Set<Link<P, 'listener'>>,
  address: string,
): Promise<void> {
  const messages = new SocketMessages(socket);
  try {
    const peer = await greetAsListener(socket, messages, {
      protocol: options.protocol.name,
      own: options.own,
      authentication: options.authentication,
      ...(options.admit === undefined ? {} : { admit: options.admit }),
    });
    const link = new Link(socket, peer, { ...options, side: 'listener' }, messages.release());
    links.add(link);
    void link.closed.then(() => links.delete(link));
    options.onLink?.(link);
  } catch (error) {
    messages.release();
    const { code, message } = toProblem(error);
    socket.on('error', () => {});
    socket.close(1008, code);
    setTimeout(() => socket.terminate(), 200).unref();
    options.onRejected?.({ code, message }, address);
  }
}

function bind(http: Server, host: string, port: number): Promise<void> {
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

function refuseOpenListener<P extends ProtocolDefinition>(options: ListenOptions<P>): void {
  if (options.authentication.kind === 'token' || /^127\./.test(options.host)) return;
  throw new OperationError({
    code: 'config.invalid',
    message: `${options.host} is not a loopback address: a listener there needs a token`,
  });
}

async function closeAll<P extends ProtocolDefinition>(
  http: Server,
  server: WebSocketServer,
  links: ReadonlySet<Link<P, 'listener'>>,
): Promise<void> {
  for (const link of links) link.close('the listener is closing');
  for (const socket of server.clients) socket.close(1001);
  server.close();
  const closed = new Promise<void>((resolve) => http.close(() => resolve()));
  setTimeout(() => {
    for (const socket of server.clients) socket.terminate();
    http.closeAllConnections();
  }, 200).unref();
  await closed;
}
