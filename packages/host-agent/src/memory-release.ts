/**
 * Gives the memory of ended VMs back to the system. A collection is forced, rate-limited (architecture: Memory).
 */
import { collectGarbage } from './collect-garbage.ts';

/** Threads that held the memory end a moment after their VM. */
const delayMs = 1200;

let isDue = false;
/** By a VM that ended while a collection was due: its threads may still have held its memory then. */
let isWantedAgain = false;

/** Call it when a VM has ended; several calls together are one collection, or two. */
export function releaseMemorySoon(): void {
  if (isDue) {
    isWantedAgain = true;
    return;
  }
  isDue = true;
  setTimeout(() => {
    isDue = false;
    collectGarbage();
    if (!isWantedAgain) return;
    isWantedAgain = false;
    releaseMemorySoon();
  }, delayMs).unref();
}
