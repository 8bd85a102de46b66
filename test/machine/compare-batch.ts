/** Runs programs on QEMU and on Skein and compares what they left; the one place that knows both sides. */
import { loadCore } from '@skein/machine';
import { layOutBatch, type Outcome } from './batch.ts';
import { type Difference, differences } from './compare.ts';
import { NoEndError } from './no-end-error.ts';
import { runOnQemu } from './run-on-qemu.ts';
import { runOnCore } from './run-on-skein.ts';
import type { TestProgram } from './test-program.ts';

/** Where the time of a comparison went, in milliseconds; QEMU runs beside the other two. */
export interface ComparisonTimes {
  layOutMs: number;
  skeinMs: number;
  qemuMs: number;
}

/**
 * The differences of each program, none where both sides agree.
 * @param programs program i made for slot i
 * @param times what this comparison took is added here
 * @param limitMs how long QEMU may take
 * @throws Error when QEMU is absent; NoEndError when a side does not come to the batch's end
 */
export async function compareBatch(
  programs: readonly TestProgram[],
  times?: ComparisonTimes,
  limitMs?: number,
): Promise<readonly (readonly Difference[])[]> {
  const core = await loadCore();
  const begin = performance.now();
  const batch = layOutBatch(programs);
  const laidOut = performance.now();
  const qemuRun = runOnQemu(batch, limitMs).then((outcomes) => ({ outcomes, ended: performance.now() }));
  // Skein's run does not yield; QEMU goes on beside it. A failure of either must not leave the other unobserved.
  const [qemu, skein] = await Promise.allSettled([qemuRun, timed(() => runOnCore(core, batch))]);
  if (qemu.status === 'rejected' || skein.status === 'rejected') throw commonError(qemu, skein);
  if (times !== undefined) {
    times.layOutMs += laidOut - begin;
    times.skeinMs += skein.value.ms;
    times.qemuMs += qemu.value.ended - laidOut;
  }
  return qemu.value.outcomes.map((outcome, slot) =>
    differences(outcome, outcomeOf(skein.value.outcomes, slot)),
  );
}

/** Two machines that do not end are one thing to know. */
function commonError(...settled: readonly PromiseSettledResult<unknown>[]): unknown {
  const reasons: readonly unknown[] = settled.flatMap((side) =>
    side.status === 'rejected' ? [side.reason] : [],
  );
  const other = reasons.find((reason) => !(reason instanceof NoEndError));
  if (other !== undefined) return other;
  const endless = reasons.filter((reason) => reason instanceof NoEndError);
  return new NoEndError(
    endless.flatMap(({ sides }) => sides),
    endless.map(({ message }) => message).join('; '),
  );
}

async function timed(run: () => readonly Outcome[]): Promise<{ outcomes: readonly Outcome[]; ms: number }> {
  const begin = performance.now();
  return { outcomes: run(), ms: performance.now() - begin };
}

function outcomeOf(outcomes: readonly Outcome[], slot: number): Outcome {
  const outcome = outcomes[slot];
  if (outcome === undefined) throw new Error(`Skein left no outcome in slot ${slot}`);
  return outcome;
}
