/** A transfer worker's own line to the storage service: it speaks for its host, as the lease worker does. */
import { timingDefaults } from '@skein/shared';
import { LeaseClient } from '@skein/storage';
import type { SourceAssignment, TargetAssignment } from './transfer-channel.ts';

/** What a migration asks of the storage service. */
export type TransferLeases = Pick<LeaseClient, 'pass' | 'acquire' | 'read' | 'close'>;

export function openTransferLeases(
  assignment: Pick<
    SourceAssignment | TargetAssignment,
    'storage' | 'storageAddress' | 'host' | 'bootId' | 'authentication'
  >,
): TransferLeases {
  return new LeaseClient({
    host: assignment.storage.address,
    port: assignment.storage.port,
    localAddress: assignment.storageAddress,
    own: { role: 'transfer', name: assignment.host, bootId: assignment.bootId },
    authentication: assignment.authentication,
    timing: timingDefaults,
  });
}
