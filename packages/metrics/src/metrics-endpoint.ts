/**
 * `GET /metrics` on a listener of its own, for programs that serve nothing else over HTTP. Its token gives the right to
 * read metrics and no other. Whoever lacks it learns nothing: 401 comes before 404 and 405.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { OperationError, type OwnAddress } from '@skein/shared';
import { findOwnAddress, isBearer } from '@skein/transport';

export interface MetricsEndpointOptions {
  /** Where to listen; a subnet is looked up at each bind. */
  readonly address: OwnAddress;
  /** 0 asks for a free port. */
  readonly port: number;
  readonly token: Uint8Array;
  readonly source: { readonly contentType: string; text(): Promise<string> };
  /** A scrape failed by our fault; it is answered with 500. */
  readonly onFailed: (error: unknown) => void;
}

export const metricsPath = '/metrics';

const headersDeadlineMs = 3000;
const requestDeadlineMs = 5000;
/** Longer than the usual pause between two scrapes; only who has the token keeps a connection at all. */
const keepAliveMs = 20_000;
/** A scraper or two, and room for people's curl. */
const connectionsMax = 32;
const headerBytesMax = 8 << 10;

export class MetricsEndpoint {
  readonly #options: MetricsEndpointOptions;
  #server: Server | null = null;
  #port: number;
  #moved: Promise<void> = Promise.resolve();

  private constructor(options: MetricsEndpointOptions) {
    this.#options = options;
    this.#port = options.port;
  }

  /**
   * Without an address in the subnet nothing listens yet: `move` follows when there is one.
   * @throws OperationError address.in-use, address.unavailable
   */
  static async open(options: MetricsEndpointOptions): Promise<MetricsEndpoint> {
    const endpoint = new MetricsEndpoint(options);
    await endpoint.move();
    return endpoint;
  }

  /** Null until it listened once. */
  get port(): number | null {
    return this.#port === 0 ? null : this.#port;
  }

  /** The network is at another address now, or away: listens there, on the same port. One move after the other. */
  async move(): Promise<void> {
    const moved = this.#moved.then(() => this.#listenAnew());
    this.#moved = moved.catch(() => {});
    await moved;
  }

  async #listenAnew(): Promise<void> {
    await this.close();
    const host = findOwnAddress(this.#options.address);
    if (host === null) return;
    const server = makeServer((request, response) => this.#answer(request, response));
    await bind(server, host, this.#port);
    this.#server = server;
    this.#port = (server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    if (server === null) return;
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { token, source, onFailed } = this.#options;
    const path = (request.url ?? '').split('?', 1)[0];
    if (!isBearer(request.headers.authorization, token)) {
      refuse(response, 401, 'metrics need the bearer token of the metrics token file', {
        'www-authenticate': 'Bearer',
      });
    } else if (path !== metricsPath) {
      refuse(response, 404, `there is only ${metricsPath}`);
    } else if (request.method !== 'GET') {
      refuse(response, 405, 'metrics can be read only', { allow: 'GET' });
    } else {
      source.text().then(
        (text) => response.writeHead(200, { 'content-type': source.contentType }).end(text),
        (error: unknown) => {
          onFailed(error);
          refuse(response, 500, 'the metrics could not be read; see the log');
        },
      );
    }
  }
}

/** The seam for TLS: whatever server is made here serves the same requests. */
function makeServer(answer: (request: IncomingMessage, response: ServerResponse) => void): Server {
  const server = createServer(
    {
      headersTimeout: headersDeadlineMs,
      requestTimeout: requestDeadlineMs,
      keepAliveTimeout: keepAliveMs,
      connectionsCheckingInterval: 500,
      maxHeaderSize: headerBytesMax,
    },
    answer,
  );
  server.maxConnections = connectionsMax;
  return server;
}

/** The connection ends with a refusal, and so does a body that nobody reads. */
function refuse(
  response: ServerResponse,
  status: number,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  response
    .writeHead(status, { ...headers, 'content-type': 'text/plain; charset=utf-8', connection: 'close' })
    .end(`${message}\n`);
}

function bind(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => reject(bindError(cause, host, port)));
    server.listen({ host, port, exclusive: true }, resolve);
  });
}

function bindError(cause: NodeJS.ErrnoException, host: string, port: number): OperationError {
  const details = { address: host, port };
  if (cause.code === 'EADDRINUSE') {
    const message = `port ${port} on ${host} is in use by another program: stop it or choose another metrics port`;
    return new OperationError({ code: 'address.in-use', message, cause, details });
  }
  const message = `cannot serve metrics on ${host}:${port} (${cause.code ?? cause.message}): is the address this machine's?`;
  return new OperationError({ code: 'address.unavailable', message, cause, details });
}
