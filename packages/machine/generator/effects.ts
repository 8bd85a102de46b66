/**
 * The interpreter's fast path of each operation, as lines of AssemblyScript: the words of an effect (rs1, rs2, imm,
 * pc) become reads of the entry at ip. A path ends with `continue` (done, ip moved on) or `break` (leave the switch:
 * a jump with `target`, or whatever else executeSlowly must do).
 */
import type { Effect, Operation } from '../src/operations/instruction.ts';
import { atomicPath } from './atomic-path.ts';

/** Operands of one access have names of their own, because the two of a pair stand in one block. */
export interface AccessNames {
  readonly address: string;
  readonly slot: string;
}

export const firstAccess: AccessNames = { address: 'virtual', slot: 'slot' };
export const secondAccess: AccessNames = { address: 'next', slot: 'nextSlot' };

const reads: Readonly<Record<string, string>> = {
  rs1: 'source1(ip)',
  rs2: 'source2(ip)',
  imm: 'immediate(ip)',
  pc: 'pcOf(ip, pcBase)',
};

/** Lines of an operation that always leaves the switch by `default`: none. */
export function fastPath(operation: Operation, names: AccessNames): readonly string[] {
  const { effect } = operation.instruction;
  const onwards = [`ip += ${entryBytes(operation)};`, 'continue;'];
  switch (effect.kind) {
    case 'result':
      return [`store<u64>(destination(ip), ${withOperands(effect.value)}, XREG);`, ...onwards];
    case 'load':
      return [...findPage(effect, names, 'FAST_LOAD'), loadLine(effect, names), ...onwards];
    case 'store':
      return [...findPage(effect, names, 'FAST_STORE'), storeLine(effect, names), ...onwards];
    case 'load-reserved':
    case 'store-conditional':
    case 'read-modify-write':
      return [...atomicPath(effect), ...onwards];
    case 'branch':
      return [
        `if (${withOperands(effect.condition)}) {`,
        ...distantPath(operation).map((line) => `  ${line}`),
        '}',
        ...onwards,
      ];
    case 'jump':
      return [...link(operation, effect.links), ...distantPath(operation)];
    case 'indirect':
      // The target first: rd may be rs1.
      return [`target = ${withOperands(effect.target)};`, ...link(operation, effect.links), ...leaveToTarget];
    case 'nothing':
      return onwards;
    case 'page-end':
      return ['left++;', `target = ${withOperands('pc')};`, ...leaveToTarget];
    case 'slow':
      return [];
  }
}

/** True if what comes after the operation is the next instruction, so that it can begin a pair. */
export function canBeginPair({ instruction }: Operation): boolean {
  const { kind } = instruction.effect;
  return kind === 'result' || kind === 'load' || kind === 'store';
}

/** True if the operation is an instruction with a fast path, and no rare one. */
export function canEndPair({ instruction }: Operation): boolean {
  const { kind } = instruction.effect;
  return !['slow', 'page-end', 'load-reserved', 'store-conditional', 'read-modify-write'].includes(kind);
}

/** Distance to the next instruction's entry: 8 bytes for each 2 of the instruction. */
export function entryBytes({ length }: Operation): number {
  return length * 4;
}

const leaveToTarget: readonly string[] = ['isJump = true;', 'break;'];

function withOperands(expression: string): string {
  return expression.replace(/\b(?:rs1|rs2|imm|pc)\b/g, (word) => reads[word] ?? word);
}

function distantPath({ reach }: Operation): readonly string[] {
  if (reach === 'local') return ['ip += load<i32>(ip, 4);', 'continue;'];
  return [`target = ${withOperands('pc + imm')};`, ...leaveToTarget];
}

function link({ length }: Operation, links: boolean): readonly string[] {
  return links ? [`store<u64>(destination(ip), ${withOperands('pc')} + ${length}, XREG);`] : [];
}

type Access = Extract<Effect, { kind: 'load' | 'store' }>;

/** Leaves the switch unless the page has a fast entry; an access that crosses into the next page has none. */
function findPage(effect: Access, { address, slot }: AccessNames, table: string): readonly string[] {
  const last = effect.bytes === 1 ? address : `(${address} + ${effect.bytes - 1})`;
  return [
    ...(effect.file === 'float' ? ['if (!isFloatDirty()) break;'] : []),
    `const ${address} = ${withOperands('rs1 + imm')};`,
    `const ${slot} = tables + fastSlot(${address});`,
    `if (load<u64>(${slot}, ${table}) !== (${last} & PAGE_MASK)) break;`,
  ];
}

function loadLine(effect: Extract<Access, { kind: 'load' }>, { address, slot }: AccessNames): string {
  const place = `(${address} as u32) + load<u32>(${slot}, FAST_LOAD + 8)`;
  const file = effect.file === 'float' ? 'FREG' : 'XREG';
  return `store<u64>(destination(ip), ${loadedValue(effect, place)}, ${file});`;
}

function loadedValue({ bytes, isSigned, file }: Extract<Access, { kind: 'load' }>, place: string): string {
  if (bytes === 8) return `load<u64>(${place})`;
  if (file === 'float') return `(load<u${bytes * 8}>(${place}) as u64) | 0xffffffff00000000`;
  return isSigned ? `load<i${bytes * 8}>(${place}) as i64 as u64` : `load<u${bytes * 8}>(${place}) as u64`;
}

function storeLine(
  { bytes, file }: Extract<Access, { kind: 'store' }>,
  { address, slot }: AccessNames,
): string {
  const value = file === 'float' ? 'floatSource2(ip)' : withOperands('rs2');
  const narrowed = bytes === 8 ? value : `${value} as u${bytes * 8}`;
  return `store<u${bytes * 8}>((${address} as u32) + load<u32>(${slot}, FAST_STORE + 8), ${narrowed});`;
}
