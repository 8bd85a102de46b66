/**
 * The differential test of the machine: random programs on QEMU and on Skein, compared in everything they leave. A
 * program that differs is shrunk to the fragments that matter and printed. Also a command:
 * `node test/machine/differential.ts [count] [seed]`.
 */
import { layOutBatch } from './batch.ts';
import { type Difference, describeDifferences, differences } from './compare.ts';
import { generateProgram } from './generate/generate-program.ts';
import { slotsMax } from './memory-map.ts';
import { Random } from './random.ts';
import { runOnQemu } from './run-on-qemu.ts';
import { runOnSkein } from './run-on-skein.ts';
import { assembleProgram, type TestProgram } from './test-program.ts';

export interface DifferentialOptions {
  readonly seed: bigint;
  /** Programs; they are run in batches of at most slotsMax. */
  readonly count: number;
  /** Shrunk and reported at most; the others are counted. */
  readonly reportsMax?: number;
  readonly onProgress?: (programs: number, mismatches: number) => void;
}

export interface Mismatch {
  readonly kind: string;
  /** run({ seed, count: 1 }) makes this program alone, in slot 0. */
  readonly seed: bigint;
  readonly report: string;
}

export interface DifferentialResult {
  readonly programs: number;
  /** All programs that differ, each with its first difference. */
  readonly differing: readonly { readonly kind: string; readonly seed: bigint; readonly first: Difference }[];
  readonly mismatches: readonly Mismatch[];
  /** Programs of each kind, to see that all were there. */
  readonly kinds: ReadonlyMap<string, number>;
}

/** Runs `count` programs; the first has the given seed itself, the others seeds that follow from it. */
export async function run(options: DifferentialOptions): Promise<DifferentialResult> {
  const seeds = new Random(options.seed);
  const kinds = new Map<string, number>();
  const mismatches: Mismatch[] = [];
  const differing: { kind: string; seed: bigint; first: Difference }[] = [];
  let done = 0;
  while (done < options.count) {
    const size = Math.min(slotsMax, options.count - done);
    const programs = Array.from({ length: size }, (_, slot) => {
      const seed = done + slot === 0 ? options.seed : seeds.bits64();
      return generateProgram(seed, slot);
    });
    for (const { kind } of programs) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
    for (const [slot, found] of (await compareBatch(programs)).entries()) {
      const program = programs[slot];
      const first = found[0];
      if (first === undefined || program === undefined) continue;
      differing.push({ kind: program.kind, seed: program.seed, first });
      if (mismatches.length < (options.reportsMax ?? 3)) mismatches.push(await explain(program));
    }
    done += size;
    options.onProgress?.(done, differing.length);
  }
  return { programs: done, differing, mismatches, kinds };
}

async function compareBatch(programs: readonly TestProgram[]): Promise<readonly (readonly Difference[])[]> {
  const batch = layOutBatch(programs);
  const qemuRun = runOnQemu(batch);
  const [qemu, skein] = await Promise.all([qemuRun, runOnSkein(batch)]);
  return qemu.map((outcome, slot) => {
    const other = skein[slot];
    if (other === undefined) throw new Error(`Skein left no outcome in slot ${slot}`);
    return differences(outcome, other);
  });
}

/** Shrinks the program, made anew for slot 0, and prints what is left of it. */
async function explain(program: TestProgram): Promise<Mismatch> {
  const alone = generateProgram(program.seed, 0);
  const [found] = await compareBatch([alone]);
  const { kind, seed } = program;
  if (found === undefined || found.length === 0) {
    return { kind, seed, report: `${kind} ${seed}: differs in its batch but not alone` };
  }
  const shrunk = await shrink(alone);
  const [left] = await compareBatch([shrunk]);
  const { code } = assembleProgram(shrunk, 0);
  const lines = code.listing.map(({ address, text }) => `  ${address.toString(16)}: ${text}`);
  const state = Object.entries(shrunk.csrs).map(([name, value]) => `${name}=0x${value.toString(16)}`);
  const report = [
    `${kind} program, mode ${shrunk.mode}, seed ${seed} (node test/machine/differential.ts 1 ${seed})`,
    `  ${state.join(' ')}`,
    ...lines,
    describeDifferences(left ?? []),
  ].join('\n');
  return { kind, seed, report };
}

/**
 * Leaves out ever smaller runs of fragments as long as a difference remains. They run one by one.
 */
async function shrink(program: TestProgram): Promise<TestProgram> {
  let current = program;
  for (let length = Math.ceil(current.fragments.length / 2); length >= 1; ) {
    const starts = Array.from(
      { length: Math.ceil(current.fragments.length / length) },
      (_, index) => index * length,
    );
    const differing = await firstDiffering(
      starts.map((start) => ({
        ...current,
        fragments: current.fragments.filter((_, index) => index < start || index >= start + length),
      })),
    );
    if (differing !== undefined) current = differing;
    else if (length === 1) break;
    else length = Math.ceil(length / 2);
    if (current.fragments.length === 0) break;
  }
  return current;
}

/** Candidates depend on slot 0, so each is a batch of its own. */
async function firstDiffering(candidates: readonly TestProgram[]): Promise<TestProgram | undefined> {
  for (const candidate of candidates) {
    const [found] = await compareBatch([candidate]).catch(() => []);
    if (found !== undefined && found.length > 0) return candidate;
  }
  return undefined;
}

if (import.meta.main) {
  const count = Number(process.argv[2] ?? '512');
  const seed = BigInt(process.argv[3] ?? Date.now());
  console.log(`differential: ${count} programs from seed ${seed}`);
  const result = await run({
    seed,
    count,
    onProgress: (programs, mismatches) =>
      console.log(`differential: ${programs} programs, ${mismatches} differ`),
  });
  for (const { kind, seed: programSeed, first } of result.differing) {
    console.log(`${kind} ${programSeed}\n${describeDifferences([first])}`);
  }
  for (const { report } of result.mismatches) console.log(`\n${report}`);
  process.exitCode = result.differing.length === 0 ? 0 : 1;
}
