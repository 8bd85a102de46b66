/** Ports on this machine's loopback that are handed to a process in another network namespace. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { OperationError } from '@skein/shared';
import type { HandedSocket } from './gateway-config.ts';

export class PublishedPorts {
  readonly address: string;
  readonly #servers: ReadonlyMap<number, Server>;

  private constructor(address: string, servers: ReadonlyMap<number, Server>) {
    this.address = address;
    this.#servers = servers;
  }

  /** On the first of the addresses where all of them are free. @throws OperationError address.unavailable */
  static async listen(addresses: Iterable<string>, ports: readonly number[]): Promise<PublishedPorts> {
    let reason = 'there is no address';
    for (const address of addresses) {
      const servers = new Map<number, Server>();
      try {
        for (const port of ports) servers.set(port, await listenOn(address, port));
        return new PublishedPorts(address, servers);
      } catch (error) {
        for (const server of servers.values()) server.close();
        reason = (error as Error).message;
      }
    }
    const message = `no loopback address has the ports ${ports.join(' and ')} free (last: ${reason}); end a cluster with: skein down`;
    throw new OperationError({ code: 'address.unavailable', message });
  }

  get numbers(): Iterable<number> {
    return this.#servers.keys();
  }

  /** To a child with a channel, which is closed then; the sockets are the child's alone. */
  async handTo(child: ChildProcess): Promise<void> {
    try {
      await isListening(child);
      for (const [port, server] of this.#servers) {
        const message: HandedSocket = { port };
        await new Promise<void>((resolve, reject) => {
          child.send(message, server, (error) => (error === null ? resolve() : reject(error)));
        });
      }
    } finally {
      this.close();
      if (child.connected) child.disconnect();
    }
  }

  close(): void {
    for (const server of this.#servers.values()) server.close();
  }
}

const channelDeadlineMs = 10_000;

/** What a child is sent before it listens to its channel is lost. One that has ended by now will never say so again. */
async function isListening(child: ChildProcess): Promise<void> {
  const hasEnded = (): boolean => child.exitCode !== null || child.signalCode !== null;
  const signal = AbortSignal.timeout(channelDeadlineMs);
  if (!hasEnded()) await Promise.race([once(child, 'message', { signal }), once(child, 'exit', { signal })]);
  if (hasEnded() || !child.connected) {
    throw new OperationError({ code: 'process.died', message: 'the process that ports are for has ended' });
  }
}

function listenOn(host: string, port: number): Promise<Server> {
  // Nobody knows of it before it is handed over.
  const server = createServer((stranger) => stranger.destroy());
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port, exclusive: true }, () => resolve(server));
  });
}
