/** Pieces of AssemblyScript text that several generated files need. */
import type { OperationTable } from '../src/operations/table.ts';

export function indented(depth: number, lines: readonly string[]): string {
  return lines.map((line) => '  '.repeat(depth) + line).join('\n');
}

/** Every name that has a number, in the order of the numbers. */
export function numberedNames({ operations, pairs }: OperationTable): string[] {
  return [...operations, ...pairs].map(({ name }) => name);
}

/** The import of those operations' numbers that a text mentions. */
export function importOperations(text: string, table: OperationTable): string {
  const mentioned = new Set(text.match(/\b[A-Z][A-Z0-9_]*\b/g));
  const names = numberedNames(table).filter((name) => mentioned.has(name));
  return `import {\n${indented(
    1,
    names.map((name) => `${name},`),
  )}\n} from './operation-numbers';\n`;
}

/** A switch over operations that returns a value; operations of one value share a line of it. */
export function switchReturning(
  subject: string,
  cases: readonly (readonly [operation: string, value: string])[],
  otherwise: string,
): string[] {
  const byValue = Map.groupBy(cases, ([, value]) => value);
  const lines = [...byValue].flatMap(([value, group]) => [
    ...group.map(([operation]) => `case ${operation}:`),
    `  return ${value};`,
  ]);
  return [`switch (${subject}) {`, ...[...lines, 'default:', `  return ${otherwise};`].map(nest), '}'];
}

/** One level deeper. */
export function nest(line: string): string {
  return `  ${line}`;
}
