/**
 * Makes a program that differs as small as it gets: first its fragments go, then single instructions, then what
 * registers, CSRs and memory hold before it starts. Many candidates are tried in one batch, each in a slot of its
 * own; since addresses depend on the slot, one that still differs there counts only once it does in the home slot.
 */
import type { Difference } from './compare.ts';
import { compareBatch } from './compare-batch.ts';
import { generateProgram } from './generate/generate-program.ts';
import { dataBytes, slotsMax } from './memory-map.ts';
import { NoEndError, type Side } from './no-end-error.ts';
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

/** @param home the slot in which the program differs even when nothing runs before it */
export async function minimise(whole: Maker, home: number): Promise<Minimised> {
  const places = new Set((await differencesIn(whole(home), home)).map(kindOfPlace));
  const reduced = async <Part>(make: Maker, parts: readonly Part[], keep: Keep<Part>): Promise<Maker> => {
    const kept = await reduce(parts, async (selections) => {
      const candidates = selections.map(
        (those): Maker =>
          (slot) =>
            keep(make(slot), those, slot),
      );
      return firstDiffering(candidates, home, places);
    });
    return (slot) => keep(make(slot), kept, slot);
  };
  const withFragments = await reduced(whole, [...whole(home).fragments.keys()], keepFragments);
  const instructions = instructionsOf(withFragments(home), home);
  const withInstructions = await reduced(withFragments, instructions, keepInstructions);
  const made = await reduced(withInstructions, statePartsOf(withInstructions(home)), keepState);
  const program = made(home);
  return { program, differences: await differencesIn(program, home) };
}

type Keep<Part> = (program: TestProgram, kept: readonly Part[], slot: number) => TestProgram;

/** The third trap of a program is the first one of what is left of it; a register is as good as another. */
function kindOfPlace({ place, qemu, skein }: Difference): string {
  return place === 'end' ? `end ${qemu} ${skein}` : place.replace(/\d+/, '');
}

/** What differs when this program runs in its slot and nothing before it. */
export async function differencesIn(program: TestProgram, slot: number): Promise<readonly Difference[]> {
  const programs = Array.from({ length: slot }, (_, at) => emptyProgram(at));
  try {
    return (await compareBatch([...programs, program], undefined, aloneLimitMs))[slot] ?? [];
  } catch (error) {
    return [endDifference(error)];
  }
}

/** For few programs. */
export const aloneLimitMs = 5000;

/**
 * That a side does not come to an end. If neither does, the generator has made a program that it should not make.
 * @throws what is no NoEndError
 */
export function endDifference(error: unknown): Difference {
  if (!(error instanceof NoEndError)) throw error;
  const isEnding = (side: Side): bigint => (error.sides.includes(side) ? 0n : 1n);
  return { place: 'end', qemu: isEnding('qemu'), skein: isEnding('skein') };
}

/** Ends at once. */
export function emptyProgram(slot: number): TestProgram {
  const some = generateProgram(0n, slot);
  return { ...some, mode: 'M', fragments: [], csrs: { ...noCsrs, mstatus: machineMode } };
}

/** Of those that differ as the whole program does: what they differ in may be something else, and masked in whole programs. */
async function firstDiffering(
  candidates: readonly Maker[],
  home: number,
  places: ReadonlySet<string>,
): Promise<number | undefined> {
  const isEndless = [...places].some((place) => place.startsWith('end'));
  const isMismatch = ([first]: readonly Difference[]): boolean =>
    first !== undefined && places.has(kindOfPlace(first));
  for (let from = 0; from < candidates.length; from += slotsMax) {
    const batch = candidates.slice(from, from + slotsMax);
    // Without its counter a loop may go on for ever, and would take the whole batch with it.
    const programs = await Promise.all(
      batch.map(async (make, slot) => {
        return isEndless || (await endsOnSkein(make(0))) ? make(slot) : emptyProgram(slot);
      }),
    );
    // If the batch has no end, any of them may be the reason.
    const found = await compareBatch(programs, undefined, aloneLimitMs).catch(() => undefined);
    for (const [index, make] of batch.entries()) {
      if (found !== undefined && !isMismatch(found[index] ?? [])) continue;
      if (!isEndless && !(await endsOnSkein(make(0)))) continue;
      if (isMismatch(await differencesIn(make(home), home))) return from + index;
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
const allBits = (1n << 64n) - 1n;
/** Taken as wholes, for they hold addresses, which depend on the slot; of the others each bit is a part. */
const wholeCsrs: readonly string[] = ['satp', 'sscratch', 'pmpaddr0', 'pmpaddr1', 'pmpaddr2', 'pmpaddr3'];

function statePartsOf({ registers, floats, csrs }: TestProgram): readonly StatePart[] {
  const csrParts = initialCsrNames.flatMap((name): StatePart[] => {
    const value = csrs[name];
    if (wholeCsrs.includes(name)) return value === 0n ? [] : [{ is: 'csr', name, bits: allBits }];
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
