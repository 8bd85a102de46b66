/** A VM's console through the coordinator: a link that stays attached while the VM moves or is restarted elsewhere. */
import { randomBytes } from 'node:crypto';
import { type ClusterInfo, clientProtocol, consoleInputBytesMax } from '@skein/shared';
import { type CloseReason, dial, type Link } from '@skein/transport';
import type { ApiAccess } from './access.ts';

export interface ConsoleHandlers {
  readonly onOutput: (bytes: Uint8Array) => void;
  /** Something happened that the console itself does not show. */
  readonly onMarker: (text: string) => void;
}

const attachDeadlineMs = 10_000;

export class ConsoleLink {
  readonly #link: Link<typeof clientProtocol, 'dialer'>;

  private constructor(link: Link<typeof clientProtocol, 'dialer'>) {
    this.#link = link;
  }

  /** The backlog, up to the last 64 KiB, goes to `onOutput` first. @throws OperationError vm.not-found, link.* */
  static async attach(
    access: ApiAccess,
    cluster: ClusterInfo,
    vm: string,
    handlers: ConsoleHandlers,
  ): Promise<ConsoleLink> {
    // What comes between the reply and its handling must not overtake the backlog.
    let early: Uint8Array[] | null = [];
    const link = await dial({
      host: new URL(access.url).hostname,
      port: cluster.clientPort,
      protocol: clientProtocol,
      own: { role: 'client', name: `skein-${process.pid}`, bootId: randomBytes(16).toString('hex') },
      authentication: { kind: 'token', token: access.token },
      handlers: {
        requests: {},
        notices: {
          'console.output': ({ bytes }) => {
            if (early === null) handlers.onOutput(bytes);
            else early.push(bytes);
          },
          'console.marker': ({ text }) => handlers.onMarker(text),
        },
      },
    });
    try {
      const { backlog } = await link.request('console.attach', { vm }, { deadlineMs: attachDeadlineMs });
      if (backlog.length > 0) handlers.onOutput(backlog);
      for (const bytes of early) handlers.onOutput(bytes);
      early = null;
      return new ConsoleLink(link);
    } catch (error) {
      link.close();
      throw error;
    }
  }

  /** Resolves once, when the coordinator or we closed it. */
  get closed(): Promise<CloseReason> {
    return this.#link.closed;
  }

  type(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += consoleInputBytesMax) {
      this.#link.notify('console.input', { bytes: bytes.subarray(at, at + consoleInputBytesMax) });
    }
  }

  close(): void {
    this.#link.close();
  }
}
