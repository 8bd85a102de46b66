/** Where people's programs come to for consoles: one link, one console. They prove the API's token. */
import {
  type clientProtocol as ClientProtocol,
  clientProtocol,
  OperationError,
  type VmId,
} from '@skein/shared';
import { type Authentication, type Identity, type Link, type Listener, listen } from '@skein/transport';
import type { Logger } from 'pino';
import type { Sighting } from '../policy/inventory.ts';
import type { World } from '../world.ts';
import type { ConsoleReader, Consoles } from './consoles.ts';

type ClientLink = Link<typeof ClientProtocol, 'listener'>;

export interface ClientSessionsOptions {
  readonly address: string;
  readonly port: number;
  readonly own: Identity;
  readonly authentication: Authentication;
  readonly world: World;
  readonly consoles: Consoles;
  readonly copyOf: (vm: VmId) => Sighting | null;
  readonly log: Logger;
}

/** Input comes from a keyboard; a message of a paste is at most 4 KiB. */
const maxPayloadBytes = 64 << 10;
/** A client that does not read is cut off after so much; its console's backlog is there when it returns. */
const unsentBytesMax = 4 << 20;

export function listenForClients(options: ClientSessionsOptions): Promise<Listener<typeof clientProtocol>> {
  const attached = new WeakMap<ClientLink, VmId>();
  return listen({
    host: options.address,
    port: options.port,
    protocol: clientProtocol,
    own: options.own,
    authentication: options.authentication,
    maxPayloadBytes,
    unsentBytesMax,
    onRejected: (reason, address) => options.log.warn({ ...reason, address }, 'client rejected'),
    handlers: {
      requests: {
        'console.attach': async ({ vm }, link) => {
          const { id, name } = options.world.vm(vm);
          if (attached.has(link)) {
            throw new OperationError({
              code: 'request.invalid',
              message: 'this link is attached to a console already: use one link for each',
            });
          }
          attached.set(link, id);
          const reader = readerOf(link);
          void link.closed.then(() => options.consoles.detach(id, reader));
          const copy = options.copyOf(id);
          const backlog = await options.consoles.attach(id, name, copy, reader);
          if (!link.isOpen) options.consoles.detach(id, reader);
          return { host: copy?.host ?? null, backlog };
        },
      },
      notices: {
        'console.input': ({ bytes }, link) => {
          const vm = attached.get(link);
          if (vm !== undefined) options.consoles.input(vm, bytes);
        },
      },
    },
  });
}

function readerOf(link: ClientLink): ConsoleReader {
  return {
    output: (bytes) => link.notify('console.output', { bytes }),
    marker: (text) => link.notify('console.marker', { text: text.slice(0, 500) }),
  };
}
