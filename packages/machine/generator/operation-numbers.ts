/**
 * assembly/generated/operation-numbers.ts: the number of each operation and pair, and what decoding and fusing ask
 * about a number.
 */
import { type Operation, operationName } from '../src/operations/instruction.ts';
import type { OperationTable } from '../src/operations/table.ts';
import { indented, numberedNames, switchReturning } from './text.ts';

export function operationNumbersSource(table: OperationTable): string {
  return [
    ...numberedNames(table).map((name, number) => `export const ${name}: u32 = ${number};`),
    '/** From here on: pairs. */',
    `export const FIRST_PAIR: u32 = ${table.operations.length};`,
    '',
    '/** Bytes of the instruction; 0 for what is none and for pairs. */',
    ...functionOf('lengthOf', table, ({ length }) => (length === 0 ? undefined : `${length}`), '0'),
    '',
    '/** The operation that does the same but for its result, which goes to x0. */',
    ...functionOf('withoutResult', table, (operation) => withoutResult(table, operation), 'operation'),
    '',
    '/** Bytes that a load reads; 0 for other operations. */',
    ...functionOf('loadBytesOf', table, loadBytes, '0'),
    '',
    '/** The operation of two that follow each other; 0 if they are not done in one go. */',
    'export function pairOf(first: u32, second: u32): u32 {',
    indented(1, pairChoice(table)),
    '}',
    '',
  ].join('\n');
}

function functionOf(
  name: string,
  { operations }: OperationTable,
  answerOf: (operation: Operation) => string | undefined,
  otherwise: string,
): string[] {
  const cases = operations.flatMap((operation): [string, string][] => {
    const value = answerOf(operation);
    return value === undefined ? [] : [[operation.name, value]];
  });
  return [
    `export function ${name}(operation: u32): u32 {`,
    indented(1, switchReturning('operation', cases, otherwise)),
    '}',
  ];
}

/** Nothing for an operation that stays as it is. Some compressed forms are never written with rd = x0. */
function withoutResult({ operations }: OperationTable, operation: Operation): string | undefined {
  const { instruction, length, reach } = operation;
  const other = instruction.withoutResult ?? (instruction.effect.kind === 'result' ? 'NOP' : undefined);
  if (other === undefined) return undefined;
  const name = operationName(other, length, reach);
  return operations.some((one) => one.name === name) ? name : undefined;
}

function loadBytes({ instruction: { effect } }: Operation): string | undefined {
  return effect.kind === 'load' ? `${effect.bytes}` : undefined;
}

function pairChoice({ pairs }: OperationTable): string[] {
  const byFirst = Map.groupBy(pairs, ({ first }) => first);
  const cases = [...byFirst].flatMap(([first, group]) => [
    `case ${first}:`,
    ...group.map(({ name, second }) => `  if (second === ${second}) return ${name};`),
    '  return 0;',
  ]);
  return ['switch (first) {', ...[...cases, 'default:', '  return 0;'].map((line) => `  ${line}`), '}'];
}
