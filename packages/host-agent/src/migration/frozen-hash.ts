/** The hash of the source's frozen RAM after the commit, off the downtime path. */
import { setTimeout as delay } from 'node:timers/promises';
import { type CoreModules, LivePages, type MachineMemory } from '@skein/machine';

/** So long the guest at the target has the processors to itself, where both hosts share them. */
const calmMs = 100;
/** After so much of it it rests: a guest whose processor is taken for much longer feels it. */
const turnMs = 0.5;
const restMs = 1;
/** A tenth of a millisecond, also where they were never touched: the host gives each of them its page of zeros. */
const pagesAtOnce = 64;

/** Sum of the hashes of all pages as they stand. Nobody waits for it: the guest's first moments at the target come first. */
export async function frozenHash(core: CoreModules, memory: MachineMemory): Promise<bigint> {
  await delay(calmMs);
  const live = new LivePages(core, memory);
  let sum = 0n;
  let turnFromMs = performance.now();
  for (let page = 0; page < memory.pages; page += pagesAtOnce) {
    sum += live.sumHashes(page, Math.min(pagesAtOnce, memory.pages - page));
    if (performance.now() - turnFromMs < turnMs) continue;
    await delay(restMs);
    turnFromMs = performance.now();
  }
  return BigInt.asUintN(64, sum);
}
