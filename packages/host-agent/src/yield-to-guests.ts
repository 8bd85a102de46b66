/**
 * V8's helper threads collect garbage and compile whenever a thread of ours has run something new, and then take a core from a
 * guest for milliseconds: most of all when it has just arrived. They are made to yield.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { setPriority } from 'node:os';

const tasks = '/proc/self/task';
const helperName = 'V8Worker';
const helperNice = 5;

/** Where threads have priorities of their own (Linux; setpriority(2), "Bugs"). It takes no privilege to lower one. */
export function yieldToGuests(): void {
  for (const task of readdirSync(tasks)) {
    if (readFileSync(`${tasks}/${task}/comm`, 'utf8').trim() === helperName)
      setPriority(Number(task), helperNice);
  }
}
