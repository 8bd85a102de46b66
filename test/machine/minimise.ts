/**
 * Makes a program that differs as small as it gets: first its fragments go, then single instructions, then what
 * registers, CSRs and memory hold before it starts. Many candidates are tried in one batch, each in a slot of its
 * own; since addresses depend on the slot, one that still differs there counts only once it does in the home slot.
 */
import type { Difference } from './compare.ts';
import { compareBatch } from './compare-batch.ts';
import { generateProgram } from './generate/generate-program.ts';
import { dataBytes, slotsMax } from './memory-map.ts';
import { initialCsrNames } from './record-layout.ts';
import { reduce } from './reduce.ts';
import { endsOnSkein } from './run-on-skein.ts';
import { assembleProgram, type InitialCsrs, type TestProgram } from './test-program.ts';

export interface Minimised {
  readonly program: TestProgram;
  readonly differences: readonly Difference[];
}

/** A program for any slot. */
export type Maker = (slot: number) => TestProgram;

/** @param slot the home slot, in which the program differs even when nothing runs before it */
export async function minimise(whole: Maker, slot: number): Promise<Minimised> {
  const withFragments = await reduceParts(whole, slot, [...whole(slot).fragments.keys()], keepFragments);
  const withInstructions = await reduceParts(
    withFragments,
    slot,
    instructionsOf(withFragments(slot), slot),
    keepInstructions,
  );
  const made = await reduceParts(withInstructions, slot, statePartsOf(withInstructions(slot)), keepState);
  const program = made(slot);
  return { program, differences: await differencesIn(program, slot) };
}

/** What differs when this program runs in its slot and nothing before it. */
export async function differencesIn(program: TestProgram, slot: number): Promise<readonly Difference[]> {
  const programs = Array.from({ length: slot }, (_, at) => emptyProgram(at));
  return (await compareBatch([...programs, program]))[slot] ?? [];
}

/** Ends at once. */
export function emptyProgram(slot: number): TestProgram {
  const some = generateProgram(0n, slot);
  return { ...some, mode: 'M', fragments: [], csrs: { ...noCsrs, mstatus: machineMode } };
}

async function reduceParts<Part>(
  make: Maker,
  home: number,
  parts: readonly Part[],
  keep: (program: TestProgram, kept: readonly Part[], slot: number) => TestProgram,
): Promise<Maker> {
  const kept = await reduce(parts, async (selections) => {
    const candidates = selections.map(
      (selection): Maker =>
        (slot) =>
          keep(make(slot), selection, slot),
    );
    return firstDiffering(candidates, home);
  });
  return (slot) => keep(make(slot), kept, slot);
}

async function firstDiffering(candidates: readonly Maker[], home: number): Promise<number | undefined> {
  for (let from = 0; from < candidates.length; from += slotsMax) {
    const batch = candidates.slice(from, from + slotsMax);
    // Without its counter a loop may go on for ever, and would take the whole batch with it.
    const programs = await Promise.all(
      batch.map(async (make, slot) => ((await endsOnSkein(make(0))) ? make(slot) : emptyProgram(slot))),
    );
    const found = await compareBatch(programs).catch(() => []);
    for (const [index, those] of found.entries()) {
      const make = batch[index];
      if (those.length === 0 || make === undefined) continue;
      if ((await differencesIn(make(home), home).catch(() => [])).length > 0) return from + index;
    }
  }
  return undefined;
}

function keepFragments(program: TestProgram, kept: readonly number[]): TestProgram {
  return { ...program, fragments: program.fragments.filter((_, index) => kept.includes(index)) };
}

/** By place in the listing, all but the ebreak at the end. */
function instructionsOf(program: TestProgram, slot: number): readonly number[] {
  return [...assembleProgram(program, slot).code.listing.keys()].slice(0, -1);
}

function keepInstructions(program: TestProgram, kept: readonly number[], slot: number): TestProgram {
  return {
    ...program,
    blanked: new Set(instructionsOf(program, slot).filter((index) => !kept.includes(index))),
  };
}

/** Something that a program finds when it starts, and could find zeroed instead. */
type StatePart =
  | { readonly is: 'register' | 'float'; readonly index: number }
  | { readonly is: 'csr'; readonly name: keyof InitialCsrs; readonly bits: bigint }
  | { readonly is: 'data' };

/** mstatus.MPP, which the mode follows from. */
const previousPrivilege = 0x1800n;
const machineMode = 0x1800n;
const noCsrs = Object.fromEntries(initialCsrNames.map((name) => [name, 0n])) as unknown as InitialCsrs;
/** Taken as wholes; of the others each bit is a part. */
const wholeCsrs: readonly string[] = ['satp', 'sscratch', 'pmpaddr0', 'pmpaddr1', 'pmpaddr2', 'pmpaddr3'];

function statePartsOf({ registers, floats, csrs }: TestProgram): readonly StatePart[] {
  const csrParts = initialCsrNames.flatMap((name): StatePart[] => {
    const value = csrs[name];
    if (wholeCsrs.includes(name)) return value === 0n ? [] : [{ is: 'csr', name, bits: value }];
    return Array.from({ length: 64 }, (_, bit) => 1n << BigInt(bit))
      .filter((bit) => (value & bit) !== 0n && (name !== 'mstatus' || (bit & previousPrivilege) === 0n))
      .map((bits) => ({ is: 'csr', name, bits }));
  });
  return [
    { is: 'data' },
    ...floats.map((_, index): StatePart => ({ is: 'float', index })),
    ...csrParts,
    ...registers.map((_, index): StatePart => ({ is: 'register', index })),
  ];
}

function keepState(program: TestProgram, kept: readonly StatePart[]): TestProgram {
  const csrs = Object.fromEntries(
    initialCsrNames.map((name) => {
      const always = name === 'mstatus' ? previousPrivilege : 0n;
      const bits = kept.reduce(
        (sum, part) => (part.is === 'csr' && part.name === name ? sum | part.bits : sum),
        always,
      );
      return [name, program.csrs[name] & bits];
    }),
  ) as unknown as InitialCsrs;
  const keeps = (is: 'register' | 'float', index: number): boolean =>
    kept.some((part) => part.is === is && part.index === index);
  return {
    ...program,
    csrs,
    registers: program.registers.map((value, index) => (keeps('register', index) ? value : 0n)),
    floats: program.floats.map((value, index) => (keeps('float', index) ? value : 0n)),
    data: kept.some(({ is }) => is === 'data') ? program.data : new Uint8Array(dataBytes),
  };
}
