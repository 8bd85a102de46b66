/**
 * Gives the memory of ended VMs back to the system. A collection is forced, rate-limited (architecture: Memory).
 */
import { collectGarbage } from './collect-garbage.ts';

/** Threads that held the memory end a moment after their VM. */
const delayMs = 1200;

let isDue = false;

/** Call it when a VM has ended; several calls together are one collection. */
export function releaseMemorySoon(): void {
  if (isDue) return;
  isDue = true;
  setTimeout(() => {
    isDue = false;
    collectGarbage();
  }, delayMs).unref();
}
