/** vm-delete: a VM that is off is forgotten, once its lease shows that no copy of it can run. */
import { OperationError, toProblem } from '@skein/shared';
import type { OperationProgram, StepContext, StepResult } from './operation.ts';

const deleteDeadlineMs = 60_000;

export const vmDelete: OperationProgram = { kind: 'vm-delete', first: 'remove', steps: { remove } };

async function remove({ env, vm, elapsedMs }: StepContext): Promise<StepResult> {
  const { id, name } = vm.spec;
  if (elapsedMs > deleteDeadlineMs) {
    const message = `${name} still holds its lease after ${deleteDeadlineMs / 1000} s: it may run somewhere`;
    return { kind: 'failed', problem: toProblem(new OperationError({ code: 'timeout', message })) };
  }
  // A VM that was never started has no lease, and needs no storage service to be forgotten.
  if (vm.desired.epoch === 0) return { kind: 'done', deletesVm: true };
  const lease = await env.readLease(id).catch((error: unknown) => toProblem(error));
  if (lease !== null && 'code' in lease)
    return { kind: 'wait', reason: `the storage service cannot be asked for its lease: ${lease.message}` };
  if (lease !== null && lease.remainingMs > 0)
    return { kind: 'wait', reason: `${lease.owner} still holds its lease` };
  return { kind: 'done', deletesVm: true };
}
