/**
 * Each mode on a trace. Pre-copy and hybrid: rounds until the agents' own decision ends them, then what is left goes while
 * the guest stands, or follows. Post-copy: everything follows.
 */
import type { MigrationSettings } from '../../model/migration.ts';
import { doesRestFollow } from '../convergence.ts';
import type { Replay } from './outcome.ts';
import { ReplayRun } from './replay-run.ts';
import type { Trace } from './trace.ts';

/** Pre-copy and hybrid. */
export function replayRounds(trace: Trace, settings: MigrationSettings): Replay {
  const run = new ReplayRun(trace, settings);
  let decision = run.decide();
  while (decision.kind === 'another-round' && run.elapsedMs < settings.deadlineMs) {
    run.copy(decision.throttlePercent);
    decision = run.decide();
  }
  if (decision.kind === 'another-round' || run.elapsedMs >= settings.deadlineMs)
    return run.result('deadline', null);
  if (decision.kind === 'give-up') return run.result('given-up', decision.reason);
  if (doesRestFollow(decision, run.policy)) run.stopAndFollow();
  else run.stopAndCopy();
  return run.result('committed', decision.reason);
}

export function replayPostcopy(trace: Trace, settings: MigrationSettings): Replay {
  const run = new ReplayRun(trace, settings);
  run.stopAndFollow();
  return run.result('committed', 'post-copy');
}
