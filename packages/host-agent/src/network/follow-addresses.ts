/** What a host does when one of its networks is disconnected, or is at another address than before. */

import type { MetricsEndpoint } from '@skein/metrics';
import { type NetworkKind, toProblem } from '@skein/shared';
import type { Logger } from 'pino';
import type { AddressChange } from '../core/address-changes.ts';
import type { LeaseKeeper } from '../lease/lease-keeper.ts';
import type { MigrationService } from '../migration/migration-service.ts';
import type { AddressWatch } from './address-watch.ts';
import type { PeerLinks } from './peer-links.ts';
import { RepeatedMove } from './repeated-move.ts';
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

/** Returns how to end it. */
export function followAddresses(watch: AddressWatch, parts: NetworkParts): () => void {
  const listeners = new Map<NetworkKind | 'metrics', RepeatedMove>();
  const moveListener = (of: NetworkKind | 'metrics'): void => {
    const known = listeners.get(of) ?? listenerOf(of, parts);
    listeners.set(of, known);
    known.begin();
  };
  watch.start((changes) => {
    for (const change of changes) {
      follow(change, parts);
      if (change.network === 'management') moveListener('metrics');
      moveListener(change.network);
    }
    parts.onChanges(changes);
  });
  return () => {
    watch.stop();
    for (const listener of listeners.values()) listener.stop();
  };
}

/** Where peers come to on a network, or where metrics are read. */
function listenerOf(of: NetworkKind | 'metrics', { peers, metrics, log, onListening }: NetworkParts) {
  return new RepeatedMove({
    move: async () => (of === 'metrics' ? await metrics?.move() : await peers.move(of)),
    onMoved: () => {
      if (of !== 'metrics') onListening();
    },
    onFailed: (error) => log.warn({ of, ...toProblem(error) }, 'cannot listen there yet'),
  });
}

function follow({ network, from, to }: AddressChange, parts: NetworkParts): void {
  if (to === null) parts.log.warn({ network, from }, 'link down');
  else parts.log.info({ network, from, to }, 'link up');
  switch (network) {
    case 'management':
      if (to !== null) parts.leases.redial(network);
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
