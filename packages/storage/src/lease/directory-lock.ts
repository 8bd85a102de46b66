/**
 * One process a directory: two lease services on one log would both grant. Held as a listening socket in Linux's
 * abstract namespace (unix(7), "Abstract sockets"), named after the directory's inode, so that the kernel frees it
 * however its process ends. Omitted: containers with network namespaces of their own that share one volume; they do
 * not see each other's locks.
 */
import { stat } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { OperationError } from '@skein/shared';

export class DirectoryLock {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** @throws OperationError lease.store-in-use, lease.store-failed */
  static async take(directory: string): Promise<DirectoryLock> {
    const { dev, ino } = await stat(directory, { bigint: true });
    const server = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause: NodeJS.ErrnoException) => reject(describe(cause, directory)));
      server.listen(`\0skein-lease-store-${dev}-${ino}`, resolve);
    });
    server.unref();
    return new DirectoryLock(server);
  }

  release(): Promise<void> {
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }
}

function describe(cause: NodeJS.ErrnoException, directory: string): OperationError {
  if (cause.code === 'EADDRINUSE') {
    const message = `another storage service works on ${directory}: stop it, or give this one a directory of its own`;
    return new OperationError({ code: 'lease.store-in-use', message, cause, details: { directory } });
  }
  const message = `cannot lock ${directory} (${cause.code ?? cause.message})`;
  return new OperationError({ code: 'lease.store-failed', message, cause });
}
