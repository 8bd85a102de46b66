/** What a host does when one of its networks is disconnected, or is at another address than before. */

import type { MetricsEndpoint } from '@skein/metrics';
import { toProblem } from '@skein/shared';
import type { Logger } from 'pino';
import type { AddressChange } from '../core/address-changes.ts';
import type { LeaseKeeper } from '../lease/lease-keeper.ts';
import type { MigrationService } from '../migration/migration-service.ts';
import type { AddressWatch } from './address-watch.ts';
import type { PeerLinks } from './peer-links.ts';
import type { SwitchHandle } from './switch-handle.ts';

export interface NetworkParts {
  readonly network: SwitchHandle;
  readonly peers: PeerLinks;
  readonly migrations: MigrationService;
  readonly leases: LeaseKeeper;
  readonly metrics: MetricsEndpoint | null;
  readonly log: Logger;
  /** Tells the coordinator, now or as soon as it can be reached. */
  readonly onChanges: (changes: readonly AddressChange[]) => void;
  /** Peers are listened for again. */
  readonly onListening: () => void;
}

export function followAddresses(watch: AddressWatch, parts: NetworkParts): void {
  watch.start((changes) => {
    for (const change of changes) follow(change, parts);
    parts.onChanges(changes);
    void meetPeers(changes, parts);
  });
}

function follow({ network, from, to }: AddressChange, parts: NetworkParts): void {
  if (to === null) parts.log.warn({ network, from }, 'link down');
  else parts.log.info({ network, from, to }, 'link up');
  switch (network) {
    case 'management':
      if (to !== null) parts.leases.redial(network);
      parts.metrics
        ?.move()
        .catch((error: unknown) => parts.log.warn({ err: error }, 'metrics cannot be read'));
      break;
    case 'storage-a':
      if (to !== null) parts.leases.redial(network);
      break;
    case 'migration':
      // What is under way is bound to the address that was.
      if (from !== null) parts.migrations.networkChanged(to);
      break;
    case 'guest-a':
      parts.network.moveUplink(to);
      break;
    default:
  }
}

async function meetPeers(changes: readonly AddressChange[], { peers, log, onListening }: NetworkParts) {
  for (const { network } of changes) {
    try {
      await peers.move(network);
    } catch (error) {
      log.warn({ network, ...toProblem(error) }, 'peers cannot connect');
    }
  }
  onListening();
}
