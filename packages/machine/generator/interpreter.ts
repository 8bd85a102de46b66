/**
 * assembly/generated/interpreter.ts: the loop around the interpreter's switch, written out below, and the cases from
 * the table. One function on purpose, however long: the switch becomes one table jump, and calls inside would make
 * the engine spill. Source: design, "Interpreter".
 */
import type { Operation } from '../src/operations/instruction.ts';
import type { Pair } from '../src/operations/pairs.ts';
import type { OperationTable } from '../src/operations/table.ts';
import { type CoreVariant, withVariant } from './core-variant.ts';
import { type AccessNames, canBeginPair, fastPath, firstAccess, secondAccess } from './effects.ts';
import { importOperations, indented } from './text.ts';

export function interpreterSource(table: OperationTable, variant: CoreVariant = {}): string {
  const cases = indented(3, [...operationCases(table), ...pairCases(table)]);
  return withVariant(`${head}${importOperations(cases, table)}${loopBefore}${cases}${loopAfter}`, variant);
}

function operationCases({ operations }: OperationTable): string[] {
  return operations.flatMap((operation) => {
    const lines = fastPath(operation, firstAccess);
    return lines.length === 0 ? [] : caseOf(operation.name, lines);
  });
}

function pairCases({ operations, pairs }: OperationTable): string[] {
  const byName = new Map(operations.map((operation) => [operation.name, operation]));
  return pairs.flatMap((pair) => [`// ${pair.provenance}`, ...caseOf(pair.name, pairPath(pair, byName))]);
}

/** The first one's path without its `continue`, then the second's, unless the budget ends between them. */
function pairPath({ name, first, second }: Pair, byName: ReadonlyMap<string, Operation>): readonly string[] {
  const one = byName.get(first);
  const other = byName.get(second);
  if (one === undefined || other === undefined) throw new Error(`${name}: no such operation`);
  if (!canBeginPair(one)) throw new Error(`${name}: ${first} cannot begin a pair`);
  const before = fastPath(one, firstAccess).slice(0, -1);
  return [...before, 'if (left === 0) continue;', 'left--;', ...fastPath(other, namesAfter(one))];
}

function namesAfter({ instruction }: Operation): AccessNames {
  return instruction.effect.kind === 'result' ? firstAccess : secondAccess;
}

function caseOf(name: string, lines: readonly string[]): string[] {
  const hasConstants = lines.some((line) => line.startsWith('const '));
  const body = lines.map((line) => `  ${line}`);
  return hasConstants ? [`case ${name}: {`, ...body, '}'] : [`case ${name}:`, ...body];
}

const head = `
import { runningBase, setRunningBase } from '../code-cache';
import { combineBytes, reverseBytes } from '../execute/bit-manipulation';
import { rememberFetch, STATUS_EXIT, STATUS_SCRATCH } from '../execute/outcome';
import {
  divide,
  divideUnsigned,
  divideWord,
  divideWordUnsigned,
  multiplyHigh,
  multiplyHighSignedUnsigned,
  multiplyHighUnsigned,
  remainder,
  remainderUnsigned,
  remainderWord,
  remainderWordUnsigned,
} from '../execute/multiply';
import {
  FAST,
  FAST_LOAD,
  FAST_STORE,
  FAST_STRIDE,
  FETCH_VIRTUAL,
  FREG,
  NONE,
  PAGE_MASK,
  PC,
  RESERVATION_ADDRESS,
  RESERVATION_VALUE,
  SCRATCH,
  XREG,
} from '../layout';
import { mmuIndex } from '../mmu';
import {
  destination,
  floatSource2,
  immediate,
  isFloatDirty,
  pcBaseOf,
  pcOf,
  source1,
  source2,
  word,
} from '../operands';
import { fastSlot } from '../tlb';
import { executeSlowly } from './slow-path';
`;

const loopBefore = `
/**
 * Executes from PC, whose page is decoded at \`firstBase\`, at most \`budget\` steps. Returns how many are left.
 * pc is not kept up to date: it follows from the entry's place, \`pcOf\`. At SCRATCH there is the one instruction at PC.
 */
export function interpret(firstBase: u32, budget: u32): u32 {
  const tables = FAST + mmuIndex() * FAST_STRIDE;
  let left = budget;
  const inPage: u32 = firstBase === SCRATCH ? 0 : (load<u64>(PC) as u32) & 4095;
  let ip = firstBase + (inPage << 2);
  let pcBase = pcBaseOf(firstBase, load<u64>(PC) - (inPage as u64));
  setRunningBase(firstBase);
  while (left !== 0) {
    // Declared here, so that the engine need not carry them from one instruction to the next.
    let target: u64 = 0;
    let isJump = false;
    left--;
    switch (load<u8>(ip) as u32) {
`;

const loopAfter = `
      default:
        break;
    }
    if (isJump) {
      const slot = tables + fastSlot(target);
      if (load<u64>(slot) === (target & PAGE_MASK)) {
        const entryBase = load<u32>(slot, 8);
        setRunningBase(entryBase);
        pcBase = pcBaseOf(entryBase, target & PAGE_MASK);
        ip = entryBase + (((target as u32) & 4095) << 2);
        continue;
      }
      store<u64>(PC, target);
      // The page before is left: going back to it consults the TLB, however the run is cut into slices.
      store<u64>(FETCH_VIRTUAL, NONE);
      return left;
    }
    const status = executeSlowly(ip, pcOf(ip, pcBase), left);
    if (status >= 8) {
      ip += status;
      continue;
    }
    if (status === STATUS_EXIT) return left;
    left++;
    if (status === STATUS_SCRATCH) {
      pcBase = pcBaseOf(SCRATCH, pcOf(ip, pcBase));
      setRunningBase(SCRATCH);
      ip = SCRATCH;
    }
  }
  store<u64>(PC, pcOf(ip, pcBase));
  rememberFetch(pcOf(runningBase, pcBase));
  return 0;
}
`;
