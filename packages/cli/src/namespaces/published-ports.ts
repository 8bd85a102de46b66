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
    // What comes before it listens to its channel would be lost.
    await Promise.race([once(child, 'message'), once(child, 'exit')]);
    for (const [port, server] of this.#servers) {
      const message: HandedSocket = { port };
      await new Promise<void>((resolve, reject) => {
        child.send(message, server, (error) => (error === null ? resolve() : reject(error)));
      });
    }
    this.close();
    if (child.connected) child.disconnect();
  }

  close(): void {
    for (const server of this.#servers.values()) server.close();
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
