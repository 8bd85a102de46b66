/**
 * The states of a VM on its host and the moves between them. The table is the whole truth: a move that is not
 * in it is a failed invariant.
 */
import { invariant, type VmRunState } from '@skein/shared';

export const vmTransitions: Readonly<Record<VmRunState, readonly VmRunState[]>> = {
  /** Lease acquired, machine being built. */
  starting: ['running', 'stopping', 'frozen', 'failed'],
  running: ['suspended', 'frozen', 'stopping', 'failed'],
  /** Stop-and-copy on the source: back to running if the migration fails, gone if it commits. */
  suspended: ['running', 'frozen', 'stopping', 'failed'],
  /** Its lease could not be renewed in time; the same lease renewed lets it go on, losing it stops it. */
  frozen: ['running', 'suspended', 'stopping', 'failed'],
  /** On the target: memory arrives, it has no right to run before the lease was passed. */
  incoming: ['running', 'stopping', 'failed'],
  stopping: ['stopped', 'failed'],
  stopped: [],
  failed: ['stopping', 'stopped'],
};

/** Returns `to`; an illegal move is a programmer's mistake. */
export function moveVmState(from: VmRunState, to: VmRunState): VmRunState {
  invariant(vmTransitions[from].includes(to), `a VM may go from ${from} to ${to}`);
  return to;
}
