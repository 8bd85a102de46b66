/** The API's listener: one address, one port, closed with its connections. */
import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import { OperationError } from '@skein/shared';

export interface ApiServer {
  readonly port: number;
  close(): Promise<void>;
}

const headersDeadlineMs = 3000;
const requestDeadlineMs = 10_000;
const connectionsMax = 1024;

/** @throws OperationError address.in-use, address.unavailable */
export async function serveApi(
  fetch: (request: Request) => Response | Promise<Response>,
  host: string,
  port: number,
): Promise<ApiServer> {
  const server = createAdaptorServer({
    fetch,
    serverOptions: {
      headersTimeout: headersDeadlineMs,
      requestTimeout: requestDeadlineMs,
      // Node looks for those over their time this often; its own half minute would make the deadlines void.
      connectionsCheckingInterval: 500,
    },
  });
  if ('maxConnections' in server) server.maxConnections = connectionsMax;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => reject(bindError(cause, host, port)));
    server.listen({ host, port, exclusive: true }, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        if ('closeAllConnections' in server) server.closeAllConnections();
      }),
  };
}

function bindError(cause: NodeJS.ErrnoException, host: string, port: number): OperationError {
  const details = { address: host, port };
  if (cause.code === 'EADDRINUSE') {
    const message = `port ${port} on ${host} is in use by another program: stop it or choose another port`;
    return new OperationError({ code: 'address.in-use', message, cause, details });
  }
  const message = `cannot listen on ${host}:${port} (${cause.code ?? cause.message}): is the address this machine's?`;
  return new OperationError({ code: 'address.unavailable', message, cause, details });
}
