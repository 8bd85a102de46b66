/** `pnpm fuzz machine`: random programs on Skein's machine and on QEMU's, compared in everything they leave. */
import { run } from '../machine/differential.ts';
import type { FuzzOptions, FuzzResult } from './main.ts';

/** @throws Error with what to install when QEMU is absent */
export async function fuzzMachine({ seed, count, say }: FuzzOptions): Promise<FuzzResult> {
  const begin = performance.now();
  const result = await run({
    seed,
    count,
    onProgress: (programs, mismatches) => {
      const perS = programs / secondsSince(begin);
      say(`machine: ${programs} of ${count} programs, ${mismatches} differ, ${perS.toFixed(0)} a second`);
    },
  });
  const seconds = secondsSince(begin);
  const { differing, mismatches, kinds, times } = result;
  const unexplained = differing
    .slice(mismatches.length)
    .map(({ kind, seed: other, first }) => `${kind} program, seed ${other}: ${first.place} differs`);
  return {
    reports: [...mismatches.map(({ report }) => report), ...unexplained],
    failed: differing.length,
    figures: {
      programs: result.programs,
      kinds: Object.fromEntries([...kinds].sort()),
      differing: differing.map(({ kind, seed: other, first }) => ({
        kind,
        seed: String(other),
        place: first.place,
      })),
      seconds: rounded(seconds),
      programsPerS: rounded(result.programs / seconds),
      generateS: rounded(times.generateMs / 1000),
      layOutS: rounded(times.layOutMs / 1000),
      skeinS: rounded(times.skeinMs / 1000),
      qemuS: rounded(times.qemuMs / 1000),
    },
  };
}

function secondsSince(begin: number): number {
  return (performance.now() - begin) / 1000;
}

function rounded(value: number): number {
  return Number(value.toFixed(2));
}
