/**
 * The processes that a bench has started. Whatever ends the bench - its result, an error, Ctrl-C - ends them too, each
 * by its own pid.
 */
import type { ChildProcess } from 'node:child_process';
import { constants } from 'node:os';

const running = new Set<ChildProcess>();
let isWatching = false;

/** Ends the child, at the latest, with this process. */
export function ownChild(child: ChildProcess): void {
  watchOurEnd();
  running.add(child);
  child.once('exit', () => running.delete(child));
}

function watchOurEnd(): void {
  if (isWatching) return;
  isWatching = true;
  process.on('exit', () => {
    for (const child of running) child.kill('SIGKILL');
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => process.exit(128 + constants.signals[signal]));
  }
}
