/**
 * Where newcomers come to: HTTPS on the management network. Joining needs a token's secret, renewing a certificate;
 * there is nothing else here. Source of the messages: shared/protocol/join.ts.
 */
import { createServer, type Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { createAdaptorServer, type HttpBindings } from '@hono/node-server';
import { JoinRequest, OperationError, RenewRequest, toProblem } from '@skein/shared';
import { certifiedPeer, readCredentials, tlsCommon } from '@skein/transport/certificates';
import { type Context, Hono } from 'hono';
import type { Logger } from 'pino';
import type { z } from 'zod';
import { limitBody } from '../api/guards.ts';
import { invalidRequest, problemResponse } from '../api/problems.ts';
import type { Certifier } from './certifier.ts';

export interface JoinServerOptions {
  readonly address: string;
  readonly port: number;
  /** The coordinator's own credentials. */
  readonly directory: string;
  readonly certifier: Certifier;
  readonly log: Logger;
}

export interface JoinServer {
  readonly port: number;
  /** Takes up renewed credentials. */
  renewed(): void;
  close(): Promise<void>;
}

const deadlineMs = 3000;
const connectionsMax = 256;

type Env = { Bindings: HttpBindings };

/** @throws OperationError address.in-use, address.unavailable */
export async function serveJoining(options: JoinServerOptions): Promise<JoinServer> {
  const { address, port, directory, log } = options;
  const server = createAdaptorServer({
    fetch: createJoinApp(options).fetch,
    createServer,
    serverOptions: {
      ...tlsOf(directory),
      headersTimeout: deadlineMs,
      requestTimeout: deadlineMs,
      handshakeTimeout: deadlineMs,
      connectionsCheckingInterval: 500,
    },
  }) as Server;
  server.maxConnections = connectionsMax;
  server.on('tlsClientError', (error, socket) =>
    log.warn(
      { code: 'link.unauthenticated', message: error.message, address: socket.remoteAddress },
      'newcomer rejected',
    ),
  );
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => reject(bindError(cause, address, port)));
    server.listen({ host: address, port, exclusive: true }, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    renewed: () => server.setSecureContext(tlsOf(directory)),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Whoever renews shows a certificate; a newcomer has none, and is asked for its token. */
function tlsOf(directory: string) {
  const { key, certificate, authority } = readCredentials(directory);
  return {
    ...tlsCommon,
    key,
    cert: `${certificate.trimEnd()}\n${authority}`,
    ca: authority,
    requestCert: true,
    rejectUnauthorized: false,
  };
}

function createJoinApp({ certifier, log }: JoinServerOptions): Hono<Env> {
  const app = new Hono<Env>();
  app.onError((error, context) => {
    const { code, message } = toProblem(error);
    log.warn({ code, message, address: peerOf(context).remoteAddress }, 'newcomer rejected');
    return problemResponse(context, error);
  });
  app.notFound((context) => {
    const message = 'programs join this cluster here, and nothing else';
    return problemResponse(context, new OperationError({ code: 'request.invalid', message }), 404);
  });
  app.use('*', limitBody());
  app.post('/v1/join', async (context) => {
    const request = await bodyOf(context, JoinRequest);
    const reply = await certifier.join(request);
    log.info({ name: request.name, token: request.tokenId }, 'a program joined');
    return context.json(reply);
  });
  app.post('/v1/renew', async (context) => {
    const subject = certifiedPeer(peerOf(context));
    if (subject === null) {
      const message =
        'renewing a certificate needs that certificate, and it must not be over: join again with a token';
      throw new OperationError({ code: 'join.refused', message });
    }
    return context.json(await certifier.renew(subject, await bodyOf(context, RenewRequest)));
  });
  return app;
}

function peerOf(context: Context<Env>): Socket {
  return context.env.incoming.socket;
}

/** @throws OperationError request.invalid */
async function bodyOf<T>(context: Context<Env>, schema: z.ZodType<T>): Promise<T> {
  const body: unknown = await context.req.json().catch(() => null);
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  throw invalidRequest(parsed.error);
}

function bindError(cause: NodeJS.ErrnoException, host: string, port: number): OperationError {
  const details = { address: host, port };
  const isInUse = cause.code === 'EADDRINUSE';
  const message = isInUse
    ? `port ${port} on ${host} is in use by another program: stop it or choose another port (joinPort)`
    : `cannot listen on ${host}:${port} (${cause.code ?? cause.message}): is the address this machine's?`;
  return new OperationError({
    code: isInUse ? 'address.in-use' : 'address.unavailable',
    message,
    cause,
    details,
  });
}
