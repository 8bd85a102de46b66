/**
 * vm-stop: the host that runs it powers it off. A VM on a host that is gone counts as off when its lease is over:
 * by then no copy can run.
 */
import { OperationError, toProblem } from '@skein/shared';
import { isPresent } from '../policy/inventory.ts';
import {
  isReachable,
  liveCopy,
  type OperationProgram,
  type StepContext,
  type StepResult,
} from './operation.ts';

const commandDeadlineMs = 5000;
const stopDeadlineMs = 60_000;

export const vmStop: OperationProgram = {
  kind: 'vm-stop',
  first: 'stop',
  steps: { stop, 'watch-stop': watchStop },
};

async function stop(context: StepContext): Promise<StepResult> {
  const { env, vm, record } = context;
  const copy = liveCopy(context);
  if (copy === null) return { kind: 'next', step: 'watch-stop' };
  const body = { operation: record.id, vm: vm.spec.id, epoch: copy.report.epoch };
  try {
    await env.command(copy.host, 'vm.stop', body, commandDeadlineMs);
  } catch (error) {
    const problem = toProblem(error);
    if (problem.code !== 'vm.not-found') return { kind: 'wait', step: 'watch-stop', reason: problem.message };
  }
  const isKnown = record.timeline.some(({ name }) => name === 'told');
  return {
    kind: 'next',
    step: 'watch-stop',
    record: { host: copy.host },
    ...(isKnown ? {} : { notes: [{ name: 'told', detail: `${copy.host} powers it off` }] }),
  };
}

async function watchStop(context: StepContext): Promise<StepResult> {
  const { env, vm, inventory, elapsedMs } = context;
  if (elapsedMs > stopDeadlineMs) return timedOut(vm.spec.name);
  // A status from before the command may still say so; the command is repeated, with one effect.
  if (liveCopy(context) !== null) return { kind: 'wait', step: 'stop', reason: 'it still runs' };
  const isThere = vm.sightings.some(({ host, report }) => isPresent(report) && isReachable(inventory, host));
  if (isThere) return { kind: 'wait', reason: 'it is powering off' };
  const { host } = vm.desired;
  if (host === null || isReachable(inventory, host)) return stopped();
  const lease = await env.readLease(vm.spec.id).catch((error: unknown) => toProblem(error));
  if (lease !== null && 'code' in lease)
    return { kind: 'wait', reason: `the storage service cannot be asked for its lease: ${lease.message}` };
  if (lease === null || lease.remainingMs === 0) return stopped();
  return { kind: 'wait', reason: `${lease.owner} cannot be reached and still holds its lease` };
}

function stopped(): StepResult {
  return {
    kind: 'done',
    desired: { host: null },
    notes: [{ name: 'stopped', detail: 'no copy of it runs' }],
  };
}

function timedOut(name: string): StepResult {
  const message = `${name} was not powered off within ${stopDeadlineMs / 1000} s; it stays wanted off and is tried again`;
  return { kind: 'failed', problem: toProblem(new OperationError({ code: 'timeout', message })) };
}
