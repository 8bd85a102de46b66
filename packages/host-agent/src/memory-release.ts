/**
 * Gives the memory of ended VMs back to the system. Node frees a dropped WebAssembly.Memory only at a garbage
 * collection, which nothing else in a quiet agent would bring about; so one is forced, rate-limited (architecture:
 * Memory).
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Threads that held the memory end a moment after their VM. */
const delayMs = 1200;

let isDue = false;

/** Call it when a VM has ended; several calls together are one collection. */
export function releaseMemorySoon(): void {
  if (isDue) return;
  isDue = true;
  setTimeout(() => {
    isDue = false;
    collect();
  }, delayMs).unref();
}
