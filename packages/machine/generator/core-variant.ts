/**
 * Cores that differ from the machine's by one layer, for measuring what the layer costs and what programs execute.
 * They are no machines: without its checks a core is neither safe nor exact. Each is the interpreter's generated text
 * with one thing replaced, so that what is measured is the rest of the very same text.
 */

import type { OperationTable } from '../src/operations/table.ts';
import { numberedNames } from './text.ts';

export interface CoreVariant {
  /** Steps are not counted: a run ends only where the guest waits. */
  readonly isUncounted?: boolean;
  /** Loads and stores believe every address to be RAM, untranslated: no look at a fast entry, no dirty log. */
  readonly isUnchecked?: boolean;
  /** No fused pairs. */
  readonly isUnpaired?: boolean;
  /** Counts which operation follows which, as u32 behind RAM: `pairHistogramStride` for each first one. Implies unpaired. */
  readonly isPairCounted?: boolean;
}

/** Operations are fewer. */
export const pairHistogramStride = 512;
export const pairHistogramBytes = pairHistogramStride * pairHistogramStride * 4;

/** The table without what the variant leaves out. */
export function tableOf(table: OperationTable, { isUnpaired, isPairCounted }: CoreVariant): OperationTable {
  if (numberedNames(table).length > pairHistogramStride)
    throw new Error('there are more operations than a histogram has room for');
  return isUnpaired === true || isPairCounted === true ? { ...table, pairs: [] } : table;
}

/** The interpreter's text as the variant has it. */
export function withVariant(text: string, variant: CoreVariant): string {
  let changed = text;
  if (variant.isUncounted === true) changed = withoutCounting(changed);
  if (variant.isUnchecked === true) changed = withoutChecks(changed);
  if (variant.isPairCounted === true) changed = countingPairs(changed);
  return changed;
}

function withoutCounting(text: string): string {
  return replaceAll(
    replaceAll(replaceAll(text, /^ *if \(left === 0\) continue;\n/gm, ''), /^ *left--;\n/gm, ''),
    'while (left !== 0)',
    'while (true)',
  );
}

function withoutChecks(text: string): string {
  const uncompared = replaceAll(
    text,
    /^ *const (?:slot|nextSlot) = .*\n *if \(load<u64>\((?:slot|nextSlot), .*\) break;\n/gm,
    '',
  );
  return replaceAll(
    replaceAll(
      uncompared,
      /load<u32>\((?:slot|nextSlot), FAST_(?:LOAD|STORE) \+ 8\)/g,
      '(RAM - (RAM_BASE as u32))',
    ),
    '  FAST_STRIDE,\n',
    '  FAST_STRIDE,\n  RAM,\n  RAM_BASE,\n',
  );
}

function countingPairs(text: string): string {
  const counted = replaceAll(
    text,
    '    switch (load<u8>(ip) as u32) {',
    `    const operation = load<u8>(ip) as u32;
    const count = histogram + (previous << ${Math.log2(pairHistogramStride * 4)}) + (operation << 2);
    store<u32>(count, load<u32>(count) + 1);
    previous = operation;
    switch (operation) {`,
  );
  const declared = replaceAll(
    counted,
    '  let left = budget;\n',
    '  let left = budget;\n  let previous: u32 = 0;\n  const histogram = RAM + (load<u32>(RAM_PAGES) << 12);\n',
  );
  // After a slow operation or a trap nothing follows.
  const severed = replaceAll(
    declared,
    '    const status = executeSlowly',
    '    previous = 0;\n    const status = executeSlowly',
  );
  return replaceAll(severed, '  FAST_STRIDE,\n', '  FAST_STRIDE,\n  RAM,\n  RAM_PAGES,\n');
}

/** @throws Error if there is nothing to replace: the text has changed, and the variant would be none. */
function replaceAll(text: string, what: RegExp | string, by: string): string {
  const changed = text.replaceAll(what, () => by);
  if (changed === text) throw new Error(`the interpreter has no ${String(what)}`);
  return changed;
}
