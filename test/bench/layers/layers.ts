/**
 * `pnpm bench layers`: what each layer of the machine costs. The work mix on the bare machine, in cores that lack one
 * layer each and are otherwise the same text, alternated; and, for what is not on the fast path, programs that do
 * nothing else against the same loop without it. User CPU time of this process.
 */
import { emitWorkmix, workmixSums } from '@skein/guests';
import { type CoreModules, dirtyConsumers, loadCore } from '@skein/machine';
import type { CoreVariant } from '../../../packages/machine/generator/core-variant.ts';
import type { Bench } from '../main.ts';
import { median } from '../statistics.ts';
import { assembleBare, BareGuest, type BareProgram, type Space } from './bare-guest.ts';
import { buildCoreVariant } from './core-variants.ts';
import * as small from './small-programs.ts';

const extent = { full: { iterations: 400, runs: 7 }, quick: { iterations: 150, runs: 3 } } as const;
/** Runs of each side before any counts: the engine compiles what turns out to be hot. */
const warmUps = 3;

interface Side {
  readonly name: string;
  readonly core: CoreModules;
  readonly space: Space;
  readonly userMs: number[];
}

const variants: Readonly<Record<string, CoreVariant>> = {
  uncounted: { isUncounted: true },
  unchecked: { isUnchecked: true },
  unpaired: { isUnpaired: true },
};

export const benchLayers: Bench = async ({ quick, say }) => {
  const { iterations, runs } = quick ? extent.quick : extent.full;
  const core = await loadCore();
  const sides: Side[] = [
    { name: 'whole', core, space: 'untranslated', userMs: [] },
    { name: 'paged', core, space: 'paged', userMs: [] },
  ];
  for (const [name, variant] of Object.entries(variants)) {
    say(`compiling a core that is ${name}`);
    sides.push({ name, core: await buildCoreVariant(name, variant), space: 'untranslated', userMs: [] });
  }
  const steps = measureMix(sides, { iterations, runs, say });
  const mips = Object.fromEntries(
    sides.map(({ name, userMs }) => [name, rounded(steps / 1000 / median(userMs), 1)]),
  );
  const whole = mips.whole ?? Number.NaN;
  /** How much longer the work takes with the layer than without. */
  const cost = (name: string): number => rounded(100 * ((mips[name] ?? Number.NaN) / whole - 1), 1);
  return {
    steps,
    mips: whole,
    withoutCountingMips: mips.uncounted,
    countingPercent: cost('uncounted'),
    withoutPageChecksMips: mips.unchecked,
    pageChecksPercent: cost('unchecked'),
    withoutPairsMips: mips.unpaired,
    pairsPercent: cost('unpaired'),
    pagedMips: mips.paged,
    pagingPercent: rounded(100 * (whole / (mips.paged ?? Number.NaN) - 1), 1),
    ...measureOffThePath(core, { runs, say }),
  };
};

/** Returns the steps of the work, counted by the whole machine; throws if a core computes another result. */
function measureMix(
  sides: readonly Side[],
  { iterations, runs, say }: { iterations: number; runs: number; say: (line: string) => void },
): number {
  let steps = 0;
  let expected: string | undefined;
  for (let run = 1 - warmUps; run <= runs; run++) {
    for (const side of sides) {
      const args = ['workmix', `${iterations}`];
      const guest = startBare(side.core, { emit: emitWorkmix, entry: 'start', args }, side.space);
      const outcome = guest.run();
      const sums = guest.words(workmixSums.label, workmixSums.count).join();
      expected ??= sums;
      if (sums !== expected) throw new Error(`the core ${side.name} computed something else`);
      if (side.name === 'whole') steps = outcome.steps;
      if (run < 1) continue;
      side.userMs.push(outcome.userMs);
      say(`${run}/${runs} ${side.name.padEnd(10)} ${(steps / 1000 / outcome.userMs).toFixed(0)} MIPS`);
    }
  }
  return steps;
}

/** Differences between a loop with the thing and the same without, each the least of its runs. */
function measureOffThePath(
  core: CoreModules,
  { runs, say }: { runs: number; say: (line: string) => void },
): Readonly<Record<string, number>> {
  const least = (program: BareProgram, space: Space): number =>
    Math.min(...Array.from({ length: runs + warmUps }, () => startBare(core, program, space).run().userMs));
  const walked = small.walkedPages * small.walkRounds;
  const trapNs = ((least(small.calls, 'paged') - least(small.noCalls, 'paged')) * 1e6) / small.callCount;
  const walkNs = ((least(small.walks, 'paged') - least(small.noWalks, 'paged')) * 1e6) / walked;
  say(`a call and its return ${trapNs.toFixed(0)} ns, a walk ${walkNs.toFixed(0)} ns`);
  return {
    callAndReturnNs: rounded(trapNs, 0),
    walkNs: rounded(walkNs, 0),
    ...measureDecoding(core, runs),
    ...measureDirtyLog(core, runs),
  };
}

/** Code that runs for the first time: almost all of it is decoding. */
function measureDecoding(core: CoreModules, runs: number): Readonly<Record<string, number>> {
  const samples = Array.from(
    { length: runs + warmUps },
    () => startBare(core, small.straight, 'untranslated').run().userMs,
  );
  return { decodeNs: rounded((Math.min(...samples) * 1e6) / small.decodedInstructions, 1) };
}

/**
 * Between two harvests each page's first store is a slow one. The same passes over the same pages, with a harvest before
 * each and without; the harvests' own time is the host's and told apart.
 */
function measureDirtyLog(core: CoreModules, runs: number): Readonly<Record<string, number>> {
  const { machine } = startBare(core, small.stores, 'untranslated');
  machine.run(small.storeSteps);
  const harvestMs: number[] = [];
  const passMs = { harvested: [] as number[], plain: [] as number[] };
  for (let run = 0; run < (runs + warmUps) * 100; run++) {
    for (const [kind, samples] of Object.entries(passMs)) {
      const startedMs = performance.now();
      if (kind === 'harvested') machine.harvestDirty(dirtyConsumers.migration);
      const harvestedMs = performance.now();
      machine.run(small.storeSteps);
      samples.push(performance.now() - harvestedMs);
      if (kind === 'harvested') harvestMs.push(harvestedMs - startedMs);
    }
  }
  const perPageMs = (median(passMs.harvested) - median(passMs.plain)) / small.storedPages;
  return { harvestUs: rounded(median(harvestMs) * 1000, 1), firstStoreNs: rounded(perPageMs * 1e6, 1) };
}

function startBare(core: CoreModules, program: BareProgram, space: Space): BareGuest {
  return new BareGuest(core, assembleBare(program, space), program.args ?? [], space);
}

function rounded(value: number, decimals: number): number {
  return Number(value.toFixed(decimals));
}
