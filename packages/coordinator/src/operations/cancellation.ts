/**
 * What asking for the end of an operation can come to. Only a migration can be given up half-way, and only before its
 * commit (safety: Commit point of a migration): what is known of that here may be late, so the last word is the
 * source's, and a migration that was asked to end may still succeed.
 */
import type { Sighting } from '../policy/inventory.ts';
import { isEnded, isWaitingForTurn, type OperationRecord } from './record.ts';

export type Cancellation =
  /** Nothing of it has begun: it ends at once. */
  | { readonly kind: 'ends' }
  /** Both sides of it are told. */
  | { readonly kind: 'is-called-off' }
  /** It was asked for before. */
  | { readonly kind: 'stands' }
  | { readonly kind: 'refused'; readonly reason: string };

/** `copy` is the newest one of its VM that can be asked now. */
export function cancellation(record: OperationRecord, copy: Sighting | null): Cancellation {
  const { id, kind, state, step, vmName, targetHost, problem, cancelProblem } = record;
  if (problem?.code === 'operation.cancelled') return { kind: 'stands' };
  if (isEnded(record))
    return { kind: 'refused', reason: `${kind} ${id} of ${vmName} has ended: it ${state}` };
  if (kind !== 'vm-migrate')
    return {
      kind: 'refused',
      reason: `${kind} ${id} of ${vmName} cannot be cancelled: only a migration can`,
    };
  if (isWaitingForTurn(record)) return { kind: 'ends' };
  if (step === 'watch-record' || hasCommitted(record, copy)) {
    const reason = `the migration ${id} is past its commit: ${vmName} runs on ${targetHost}; migrate it again to move it`;
    return { kind: 'refused', reason };
  }
  return { kind: cancelProblem === null ? 'is-called-off' : 'stands' };
}

function hasCommitted({ ended, targetHost, expectEpoch }: OperationRecord, copy: Sighting | null): boolean {
  const isTold = [ended.source, ended.target].some((side) => side?.outcome === 'committed');
  return isTold || (copy !== null && copy.host === targetHost && copy.report.epoch > expectEpoch);
}
