/** Whether the two ends of a migration are the same state: as the target says ready, and as its record says. */
import type { MigrationRecord, Problem } from '@skein/shared';
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

/** Null where the target has the state that it said ready to. */
export function otherHash(theirs: string, ours: string): Problem | null {
  if (theirs === ours) return null;
  const message = `the target says ready to state hash ${theirs}, this host sent ${ours}`;
  return { code: 'migration.hash-mismatch', message, details: {} };
}
