/** Whether a migration's record says that its two ends were not the same state: never an accident. */
import type { MigrationRecord } from '@skein/shared';
import { formatStateHash } from './page-hashes.ts';

/** Of a target that was gone before it told. */
const untold = formatStateHash(0n);

/**
 * What was sent, what was applied and what stands frozen at the source must be one state: where all of it was sent, for a
 * committed migration has a reason only if memory was lost in it.
 */
export function isMismatch({
  outcome,
  reason,
  stateHashSource,
  stateHashTarget,
  stateHashSourceFull,
}: MigrationRecord): boolean {
  if (outcome !== 'committed' || reason !== null || stateHashSourceFull === null) return false;
  const isTold = stateHashTarget !== untold;
  return stateHashSourceFull !== stateHashSource || (isTold && stateHashTarget !== stateHashSource);
}
