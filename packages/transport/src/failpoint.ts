/**
 * Failpoints: named places in our programs at which a thread can be held, so that a fault can be made exactly there. The
 * variable SKEIN_FAILPOINTS names a folder. While a file with a failpoint's name lies in it, a thread that gets there
 * writes `NAME.reached` with its process id and stands still, with its event loop and all, until the file is taken away:
 * to everybody else it is a thread that is slow for a while. Without the variable a failpoint is one comparison.
 *
 * Files, because whoever holds a program from outside need not be a program itself, may die, and leaves nobody waiting
 * for good when the folder goes.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { MigrationFailpoint } from '@skein/shared';

export type Failpoint = MigrationFailpoint;

export const failpointsVariable = 'SKEIN_FAILPOINTS';

const lookPeriodMs = 2;
const never = new Int32Array(new SharedArrayBuffer(4));
const folder = folderOf(process.env);

/** Returns at once unless somebody asked for this place to be held. */
export function failpoint(name: Failpoint): void {
  if (folder !== null) holdAt(folder, name);
}

/** The folder in which holds are asked for; null: none. */
function folderOf(environment: NodeJS.ProcessEnv): string | null {
  const value = environment[failpointsVariable];
  return value === undefined || value === '' ? null : value;
}

/** Stands still while there is a file of that name; the second thread at one place waits with the first. */
function holdAt(directory: string, name: string): void {
  const hold = join(directory, name);
  if (!existsSync(hold)) return;
  tellReached(`${hold}.reached`);
  while (existsSync(hold)) Atomics.wait(never, 0, 0, lookPeriodMs);
}

/** The hold, and its folder, may go at any moment: then there is nobody to tell. */
function tellReached(path: string): void {
  try {
    writeFileSync(path, `${process.pid}\n`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
