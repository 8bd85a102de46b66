/** Waits until every guest of the cluster file has booted, as `docker compose up --wait` does. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type ClusterInfo, OperationError } from '@skein/shared';

const pollMs = 200;
/** Three guests boot together in a few seconds; where nothing moves for so long, nothing will. */
const stallMsMax = 60_000;

export interface DeclaredGuestsOptions {
  readonly look: () => Promise<ClusterInfo>;
  readonly onProgress: (phase: string) => void;
  readonly signal?: AbortSignal;
}

/** @throws OperationError timeout, with the reason of each that waits; coordinator.unreachable */
export async function awaitDeclaredGuests(options: DeclaredGuestsOptions): Promise<void> {
  let [ready, movedAtMs] = [-1, performance.now()];
  for (;;) {
    options.signal?.throwIfAborted();
    const { declared } = await options.look();
    if (declared.waiting.length === 0) return;
    if (declared.ready !== ready) [ready, movedAtMs] = [declared.ready, performance.now()];
    if (performance.now() - movedAtMs > stallMsMax) {
      const message = `guests of the cluster file do not come up:\n${declared.waiting.join('\n')}`;
      throw new OperationError({ code: 'timeout', message, details: { waiting: declared.waiting } });
    }
    options.onProgress(`${ready} of ${declared.vms} guests of the cluster file have booted`);
    await sleep(pollMs);
  }
}
