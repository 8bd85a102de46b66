/** Asks a coordinator that may be restarted meanwhile: operations survive that. */
import { setTimeout as sleep } from 'node:timers/promises';
import { OperationError } from '@skein/shared';

const pauseMs = 100;
export const unreachableMsMax = 10_000;

/** Asks again while the coordinator is away, for so long. For what may be asked twice. @throws OperationError as `ask` does */
export async function insistently<T>(ask: () => Promise<T>): Promise<T> {
  const endsAtMs = performance.now() + unreachableMsMax;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!isAway(error) || performance.now() > endsAtMs) throw error;
    }
    await sleep(pauseMs);
  }
}

export function isAway(error: unknown): boolean {
  return error instanceof OperationError && error.code === 'coordinator.unreachable';
}
