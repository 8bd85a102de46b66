/**
 * The differential test of the machine: random programs on QEMU and on Skein, compared in everything they leave. A
 * program that differs is minimised and printed. `pnpm fuzz machine` is its command.
 */
import type { Difference } from './compare.ts';
import { type ComparisonTimes, compareBatch } from './compare-batch.ts';
import { explainMismatch, type Mismatch } from './explain-mismatch.ts';
import { generateProgram } from './generate/generate-program.ts';
import { slotsMax } from './memory-map.ts';
import { aloneLimitMs, emptyProgram, endDifference } from './minimise.ts';
import { Random } from './random.ts';
import type { TestProgram } from './test-program.ts';

export interface DifferentialOptions {
  readonly seed: bigint;
  /** Programs; they are run in batches of at most slotsMax. */
  readonly count: number;
  /** Minimised and reported at most; the others are counted. */
  readonly reportsMax?: number;
  readonly onProgress?: (programs: number, mismatches: number) => void;
}

export interface DifferentialResult {
  readonly programs: number;
  /** All programs that differ, each with its first difference. */
  readonly differing: readonly { readonly kind: string; readonly seed: bigint; readonly first: Difference }[];
  readonly mismatches: readonly Mismatch[];
  /** Programs of each kind, to see that all were there. */
  readonly kinds: ReadonlyMap<string, number>;
  readonly times: Readonly<ComparisonTimes> & { readonly generateMs: number };
}

interface StartedBatch {
  readonly programs: readonly TestProgram[];
  readonly found: Promise<readonly (readonly Difference[])[]>;
}

/** Runs `count` programs; the first has the given seed itself, the others seeds that follow from it. */
export async function run(options: DifferentialOptions): Promise<DifferentialResult> {
  const kinds = new Map<string, number>();
  const mismatches: Mismatch[] = [];
  const differing: { kind: string; seed: bigint; first: Difference }[] = [];
  const times = { layOutMs: 0, skeinMs: 0, qemuMs: 0, generateMs: 0 };
  let done = 0;
  for await (const { programs, found } of batchesOneAhead(options, times)) {
    for (const { kind } of programs) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
    for (const [slot, those] of found.entries()) {
      const first = those[0];
      const program = programs[slot];
      if (first === undefined || program === undefined) continue;
      differing.push({ kind: program.kind, seed: program.seed, first });
      if (mismatches.length < (options.reportsMax ?? 3)) {
        mismatches.push(await explainMismatch(programs, slot, those));
      }
    }
    done += programs.length;
    options.onProgress?.(done, differing.length);
  }
  return { programs: done, differing, mismatches, kinds, times };
}

/** The next batch starts before the last one is awaited, so that QEMU runs while programs are made. */
async function* batchesOneAhead(
  options: DifferentialOptions,
  times: ComparisonTimes & { generateMs: number },
): AsyncGenerator<{ programs: readonly TestProgram[]; found: readonly (readonly Difference[])[] }> {
  const sizes = Array.from({ length: Math.ceil(options.count / slotsMax) }, (_, index) =>
    Math.min(slotsMax, options.count - index * slotsMax),
  );
  const seeds = programSeeds(options.seed);
  const start = (size: number): StartedBatch => {
    const begin = performance.now();
    const programs = Array.from({ length: size }, (_, slot) => generateProgram(seeds(), slot));
    times.generateMs += performance.now() - begin;
    const found = compareAll(programs, times);
    // It is awaited later: until then a failure is nobody's.
    found.catch(() => {});
    return { programs, found };
  };
  let started: StartedBatch | undefined;
  for (const size of sizes) {
    const next = start(size);
    if (started !== undefined) yield { programs: started.programs, found: await started.found };
    started = next;
  }
  if (started !== undefined) yield { programs: started.programs, found: await started.found };
}

/** Also where one of them has no end: then that is how it differs, and the others are compared without it. */
async function compareAll(
  programs: readonly TestProgram[],
  times: ComparisonTimes,
): Promise<readonly (readonly Difference[])[]> {
  try {
    return await compareBatch(programs, times);
  } catch (error) {
    const difference = endDifference(error);
    const slot = await firstWithoutEnd(programs);
    const others = programs.map((program, at) => (at === slot ? emptyProgram(at) : program));
    const found = await compareAll(others, times);
    return found.map((those, at) => (at === slot ? [difference] : those));
  }
}

/** By halving: the shortest beginning of the batch that has no end. */
async function firstWithoutEnd(programs: readonly TestProgram[]): Promise<number> {
  let [low, high] = [0, programs.length];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    const isEnding = await compareBatch(programs.slice(0, middle), undefined, aloneLimitMs).then(
      () => true,
      (error: unknown) => {
        endDifference(error);
        return false;
      },
    );
    if (isEnding) low = middle;
    else high = middle;
  }
  return high - 1;
}

/** The first program's seed is the run's, so that a program's own seed makes it again, alone. */
function programSeeds(seed: bigint): () => bigint {
  const following = new Random(seed);
  let isFirst = true;
  return () => {
    const next = isFirst ? seed : following.bits64();
    isFirst = false;
    return next;
  };
}
