/** A transfer worker's own line to the storage service: it speaks for its host, as the lease worker does. */
import { timingDefaults } from '@skein/shared';
import { LeaseClient } from '@skein/storage';
import type { StorageAccess } from './transfer-channel.ts';

/** What a migration asks of the storage service. */
export type TransferLeases = Pick<LeaseClient, 'pass' | 'acquire' | 'read' | 'close'>;

export function openTransferLeases(
  { host, bootId, authentication, storageAddress, storage }: StorageAccess,
  requestDeadlineMs?: number,
): TransferLeases {
  return new LeaseClient({
    host: storage.address,
    port: storage.port,
    localAddress: storageAddress,
    own: { role: 'transfer', name: host, bootId },
    authentication,
    timing: timingDefaults,
    ...(requestDeadlineMs === undefined ? {} : { requestDeadlineMs }),
  });
}
