/**
 * The step in which a migration waits for its turn: hosts and cluster have places for a few at a time only (policy:
 * migration-queue). Its target was chosen, and its memory counts there, since it was asked for; whether the guest still
 * is where it was, and the target still can take it, is looked at again when its turn comes.
 */
import { OperationError, type Problem, toProblem } from '@skein/shared';
import { findHost } from '../policy/inventory.ts';
import { explainPlace, planMigrations } from '../policy/migration-queue.ts';
import { explain, place } from '../policy/placement.ts';
import { isFailed, isReachable, liveCopy, type StepContext, type StepResult } from './operation.ts';

export function waitForTurn(context: StepContext): StepResult {
  const { record, inventory } = context;
  const gone = whyGone(context);
  if (gone !== null) return { kind: 'failed', problem: gone };
  const { waits } = planMigrations(inventory.migrations, inventory.migrationLimits);
  const waiting = waits.find(({ operation }) => operation === record.id);
  const hasWaited = record.timeline.some(({ name }) => name === 'queued');
  if (waiting !== undefined) {
    const reason = explainPlace(waiting);
    return { kind: 'wait', reason, ...(hasWaited ? {} : { notes: [{ name: 'queued', detail: reason }] }) };
  }
  const refusal = targetRefusal(context);
  if (refusal !== null) return { kind: 'failed', problem: refusal };
  const detail = 'there is a place for it at both hosts and in the cluster';
  return { kind: 'next', step: 'source', ...(hasWaited ? { notes: [{ name: 'turn', detail }] } : {}) };
}

/** While it waits the guest may end, or its host: then others must be free to start it again. */
function whyGone({ vm, record, inventory }: StepContext): Problem | null {
  const { host: from, expectEpoch: epoch } = record;
  const { name } = vm.spec;
  if (from === null || isFailed(inventory, from))
    return problem('migration.aborted', `${from} failed before the migration of ${name} had begun`);
  const copy = liveCopy({ vm, inventory });
  const isThere = copy?.host === from && copy.report.epoch === epoch;
  if (isThere || (copy === null && !isReachable(inventory, from))) return null;
  return problem('vm.wrong-state', `${name} ended on ${from} before its migration had begun`);
}

/** A host that is suspect comes back or fails: that is for the steps that follow to see. */
function targetRefusal({ vm, record, inventory }: StepContext): Problem | null {
  const { spec } = vm;
  const { host: leaves, targetHost } = record;
  const target = targetHost === null ? undefined : findHost(inventory, targetHost);
  if (target === undefined || target.state === 'suspect') return null;
  const placement = place(inventory, { spec, leaves, refusals: [], pinned: target.name });
  if (placement.kind === 'placed') return null;
  return problem('placement.no-host', explain(spec.name, placement.reasons));
}

function problem(
  code: 'migration.aborted' | 'vm.wrong-state' | 'placement.no-host',
  message: string,
): Problem {
  return toProblem(new OperationError({ code, message }));
}
