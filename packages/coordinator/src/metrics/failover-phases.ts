/** How long the phases of a failover took, from the timeline of the restart that it led to. */
import type { OperationStep } from '@skein/shared';

export type FailoverPhase = 'detection' | 'start' | 'total' | 'ready';

const phases: Readonly<Record<FailoverPhase, readonly [from: string, to: string]>> = {
  detection: ['last heartbeat', 'declared failed'],
  start: ['declared failed', 'first step'],
  total: ['last heartbeat', 'first step'],
  ready: ['first step', 'ready'],
};

export const failoverPhaseNames = Object.keys(phases) as FailoverPhase[];

/**
 * Milliseconds by phase; without those whose moments the timeline does not have, so nothing at all for a restart that
 * no failed host was the reason for.
 */
export function failoverPhases(timeline: readonly OperationStep[]): Partial<Record<FailoverPhase, number>> {
  if (!timeline.some(({ name }) => name === 'declared failed')) return {};
  const atMs = (name: string): number | undefined => timeline.find((step) => step.name === name)?.atMs;
  const found: Partial<Record<FailoverPhase, number>> = {};
  for (const [phase, [from, to]] of Object.entries(phases) as [FailoverPhase, readonly [string, string]][]) {
    const [start, end] = [atMs(from), atMs(to)];
    // Wall-clock times: set back between the two, they say nothing.
    if (start !== undefined && end !== undefined && end >= start) found[phase] = end - start;
  }
  return found;
}
