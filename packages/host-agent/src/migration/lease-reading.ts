/** A ready target that heard no grant asks the storage service whose the guest is: the lease decides, never a guess. */
import type { LeaseView } from '@skein/shared';
import type { LeaseReading } from '../core/migration-target.ts';
import type { TargetAssignment } from './transfer-channel.ts';
import type { TransferLeases } from './transfer-leases.ts';

/** Not known while nobody answers: then it is undecided as well. */
export async function readLease(
  leases: Pick<TransferLeases, 'read'>,
  assignment: TargetAssignment,
): Promise<{ readonly isKnown: boolean; readonly reading: LeaseReading }> {
  const { vm } = assignment.command;
  return await leases.read(vm).then(
    (lease) => ({ isKnown: true, reading: readingOf(lease, assignment) }),
    () => ({ isKnown: false, reading: 'undecided' as const }),
  );
}

/** While the source holds it, it may still pass it. */
function readingOf(lease: LeaseView | null, { command, host }: TargetAssignment): LeaseReading {
  const { epoch, sourceHost } = command;
  if (lease?.owner === host && lease.epoch === epoch + 1) return 'mine';
  const isSources = lease?.owner === sourceHost && lease.epoch === epoch && lease.remainingMs > 0;
  return isSources ? 'undecided' : 'not-mine';
}
