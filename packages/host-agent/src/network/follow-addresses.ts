/** What a host does when one of its networks is disconnected, or is at another address than before. */

import type { MetricsEndpoint } from '@skein/metrics';
import type { HostAddresses } from '@skein/shared';
import type { Logger } from 'pino';
import type { AddressChange } from '../core/address-changes.ts';
import type { LeaseKeeper } from '../lease/lease-keeper.ts';
import type { AddressWatch } from './address-watch.ts';
import type { PeerLinks } from './peer-links.ts';
import type { SwitchHandle } from './switch-handle.ts';

export interface NetworkParts {
  readonly network: SwitchHandle;
  readonly peers: PeerLinks | null;
  readonly leases: LeaseKeeper;
  readonly metrics: MetricsEndpoint | null;
  readonly log: Logger;
  /** Tells the coordinator, now or as soon as it can be reached. */
  readonly onAddresses: (addresses: HostAddresses) => void;
}

export function followAddresses(watch: AddressWatch, parts: NetworkParts): void {
  watch.start((changes) => {
    for (const change of changes) follow(change, parts);
    parts.onAddresses(watch.current);
  });
}

/** The migration network needs nothing: each transfer looks its address up when it begins. */
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
    case 'guest-a':
      parts.network.moveUplink(to);
      // Without an address nothing listens, which is as it should be.
      parts.peers?.move().catch((error: unknown) => parts.log.debug({ err: error }, 'peers cannot connect'));
      break;
    default:
  }
}
