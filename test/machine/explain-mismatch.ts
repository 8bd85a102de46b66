/** Finds out what a mismatch in a batch needs, and prints it: a minimal program, or the programs that must run before. */
import { fRegisters, xRegisters } from '@skein/guests';
import { type Difference, describeDifferences } from './compare.ts';
import { compareBatch } from './compare-batch.ts';
import { generateProgram } from './generate/generate-program.ts';
import {
  aloneLimitMs,
  differencesIn,
  emptyProgram,
  type Maker,
  type Minimised,
  minimise,
} from './minimise.ts';
import { reduce } from './reduce.ts';
import { assembleProgram, type TestProgram } from './test-program.ts';

export interface Mismatch {
  readonly kind: string;
  /** run({ seed, count: 1 }) makes this program alone, in slot 0. */
  readonly seed: bigint;
  readonly report: string;
}

/** @param found how programs[slot] differs when all of them run */
export async function explainMismatch(
  programs: readonly TestProgram[],
  slot: number,
  found: readonly Difference[],
): Promise<Mismatch> {
  const program = programs[slot];
  if (program === undefined) throw new RangeError(`no program in slot ${slot}`);
  const { kind, seed } = program;
  for (const home of slot === 0 ? [0] : [0, slot]) {
    const make: Maker = (at) => generateProgram(seed, at);
    if ((await differencesIn(make(home), home)).length === 0) continue;
    return { kind, seed, report: describeMinimal(await minimise(make, home), home) };
  }
  return { kind, seed, report: await describePredecessors(programs, slot, found) };
}

/** @param slot where it differs */
export function describeMinimal({ program, differences }: Minimised, slot: number): string {
  const { code } = assembleProgram(program, slot);
  const view = new DataView(code.text.bytes.buffer, code.text.bytes.byteOffset);
  const lines = code.listing.flatMap(({ address, text }, index) => {
    if (program.blanked?.has(index) === true) return [];
    const offset = address - code.text.address;
    const half = view.getUint16(offset, true);
    const word = (half & 3) === 3 ? view.getUint32(offset, true) : half;
    const bits = word.toString(16).padStart((half & 3) === 3 ? 8 : 4, '0');
    return [`  ${address.toString(16)}: ${bits.padEnd(8)}  ${text}`];
  });
  const where = slot === 0 ? '' : `, only in slot ${slot} of a batch`;
  return [
    `${program.kind} program, mode ${program.mode}: pnpm fuzz machine --seed ${program.seed} --count 1${where}`,
    ...describeState(program),
    ...lines,
    describeDifferences(differences),
  ].join('\n');
}

/** What is not zero before the start. */
function describeState({ csrs, registers, floats, data }: TestProgram): readonly string[] {
  const held = (names: readonly string[], values: readonly bigint[]): string[] =>
    values.flatMap((value, index) => (value === 0n ? [] : [`${names[index] ?? ''}=0x${value.toString(16)}`]));
  const lines = [
    held(Object.keys(csrs), Object.values(csrs)),
    held(xRegisters, registers),
    held(fRegisters, floats),
    data.some((byte) => byte !== 0) ? ['random data'] : [],
  ];
  return lines.filter((line) => line.length > 0).map((line) => `  ${line.join(' ')}`);
}

async function describePredecessors(
  programs: readonly TestProgram[],
  slot: number,
  found: readonly Difference[],
): Promise<string> {
  const runWith = async (kept: readonly number[]): Promise<readonly Difference[]> => {
    const those = programs
      .slice(0, slot + 1)
      .map((program, at) => (at === slot || kept.includes(at) ? program : emptyProgram(at)));
    return (await compareBatch(those, undefined, aloneLimitMs).catch(() => []))[slot] ?? [];
  };
  const before = await reduce([...programs.slice(0, slot).keys()], async (selections) => {
    for (const [index, selection] of selections.entries()) {
      if ((await runWith(selection)).length > 0) return index;
    }
    return undefined;
  });
  const program = programs[slot];
  const names = before.map((at) => `${programs[at]?.seed} in slot ${at}`);
  const isAgain = (await runWith(before)).length > 0;
  return [
    isAgain
      ? `${program?.kind} program ${program?.seed} in slot ${slot} differs only behind ${names.join(', ')}:`
      : `${program?.kind} program ${program?.seed} in slot ${slot} differed once, and not when it ran again:`,
    describeDifferences(found),
  ].join('\n');
}
