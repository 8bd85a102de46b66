/**
 * V8's helper threads collect garbage and compile whenever a thread of ours has run something new, and then take a core from a
 * guest for milliseconds: most of all when it has just arrived. They are made to yield.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { getPriority, setPriority } from 'node:os';

const tasks = '/proc/self/task';
const helperName = 'V8Worker';
/** A third of the weight of our other threads: enough not to preempt one, and no helper that others wait for starves. */
const niceMore = 5;
const niceMax = 19;

/**
 * Where threads have priorities of their own (Linux; setpriority(2), "Bugs"), else nothing happens. It takes no privilege to lower
 * one. Returns how many were.
 */
export function yieldToGuests(): number {
  if (process.platform !== 'linux') return 0;
  const helpers = readdirSync(tasks).filter((task) => nameOf(task) === helperName);
  const nice = Math.min(niceMax, getPriority() + niceMore);
  for (const task of helpers) setPriority(Number(task), nice);
  return helpers.length;
}

/** Empty where the thread has ended meanwhile. */
function nameOf(task: string): string {
  try {
    return readFileSync(`${tasks}/${task}/comm`, 'utf8').trim();
  } catch {
    return '';
  }
}
