/** Opens a link from an address of our own: each traffic type leaves through its own network. */
import { OperationError, type ProtocolDefinition } from '@skein/shared';
import { WebSocket } from 'ws';
import type { Authentication } from './authentication.ts';
import { greetAsDialer, handshakeDeadlineMs, type Identity } from './handshake.ts';
import { type Handlers, Link, type LinkOptions } from './link.ts';
import { maxPayloadBytesDefault } from './listener.ts';
import { SocketMessages } from './socket-messages.ts';

export interface DialOptions<P extends ProtocolDefinition>
  extends Pick<LinkOptions<P, 'dialer'>, 'requestsInFlightMax' | 'unsentBytesMax'> {
  readonly host: string;
  readonly port: number;
  readonly localAddress?: string;
  readonly protocol: P;
  readonly own: Identity;
  readonly authentication: Authentication;
  readonly handlers: Handlers<P, 'dialer'>;
  readonly maxPayloadBytes?: number;
  /** Refuses a peer that has proven itself, by throwing: it is not the one that was meant. */
  readonly admit?: (peer: Identity) => void;
}

/** @throws OperationError link.refused, link.timeout, link.unauthenticated, link.protocol-version, link.bad-message */
export async function dial<P extends ProtocolDefinition>(
  options: DialOptions<P>,
): Promise<Link<P, 'dialer'>> {
  const socket = new WebSocket(`ws://${options.host}:${options.port}/`, {
    perMessageDeflate: false,
    maxPayload: options.maxPayloadBytes ?? maxPayloadBytesDefault,
    handshakeTimeout: handshakeDeadlineMs,
    followRedirects: false,
    ...(options.localAddress === undefined ? {} : { localAddress: options.localAddress }),
  });
  const messages = new SocketMessages(socket);
  try {
    await opened(socket, options);
    const peer = await greetAsDialer(socket, messages, {
      protocol: options.protocol.name,
      own: options.own,
      authentication: options.authentication,
      ...(options.admit === undefined ? {} : { admit: options.admit }),
    });
    return new Link(socket, peer, { ...options, side: 'dialer' }, messages.release());
  } catch (error) {
    messages.release();
    socket.on('error', () => {});
    socket.terminate();
    throw error;
  }
}

function opened(socket: WebSocket, options: { readonly host: string; readonly port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('upgrade', (response) => response.socket.setNoDelay(true));
    socket.once('open', resolve);
    socket.once('error', (cause: NodeJS.ErrnoException) => {
      const message = `nothing answers at ${options.host}:${options.port}: ${cause.code ?? cause.message}`;
      reject(new OperationError({ code: 'link.refused', message, cause }));
    });
  });
}
