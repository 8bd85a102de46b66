import { describe, expect, it } from 'vitest';
import type { Instruction } from '../src/operations/instruction.ts';
import { operationsOf } from '../src/operations/instruction.ts';
import { type OperationTable, operationTable } from '../src/operations/table.ts';
import { decodeWordSource } from './decode-word.ts';
import { interpreterSource } from './interpreter.ts';
import { operationNumbersSource } from './operation-numbers.ts';
import { slowPathSource } from './slow-path.ts';

const add: Instruction = {
  name: 'ADD',
  lengths: [4, 2],
  encoding: { opcodes: [0x0c], funct3: 0, funct7: 0, format: 'register' },
  effect: { kind: 'result', value: 'rs1 + rs2' },
};
const load: Instruction = {
  name: 'LW',
  lengths: [4],
  encoding: { opcodes: [0x00], funct3: 2, format: 'immediate' },
  effect: { kind: 'load', bytes: 4, isSigned: true, file: 'integer' },
};
const jump: Instruction = { name: 'J', lengths: [2], effect: { kind: 'jump', links: false } };

function tableOf(
  instructions: readonly Instruction[],
  pairNames: readonly [string, string][],
): OperationTable {
  return {
    instructions,
    operations: instructions.flatMap(operationsOf),
    pairs: pairNames.map(([first, second]) => ({
      name: `${first}_${second}`,
      first,
      second,
      provenance: 'a test',
    })),
  };
}

/** The lines of one case of a switch, without indentation. */
function caseOf(source: string, name: string): string[] {
  const lines = source.split('\n').map((line) => line.trim());
  const start = lines.findIndex((line) => line === `case ${name}:` || line === `case ${name}: {`);
  const end = lines.findIndex((line, index) => index > start && /^(?:case |default:|\/\/)/.test(line));
  return lines.slice(start + 1, end);
}

describe('the generated interpreter', () => {
  it('does a pair as the first operation, a look at the budget, and the second one', () => {
    const source = interpreterSource(tableOf([add], [['ADD4', 'ADD2']]));
    const sum = 'store<u64>(destination(ip), source1(ip) + source2(ip), XREG);';
    expect(caseOf(source, 'ADD4')).toEqual([sum, 'ip += 16;', 'continue;']);
    expect(caseOf(source, 'ADD4_ADD2')).toEqual([
      sum,
      'ip += 16;',
      'if (left === 0) continue;',
      'left--;',
      sum,
      'ip += 8;',
      'continue;',
    ]);
  });

  it('keeps the addresses of two accesses of a pair apart', () => {
    const lines = caseOf(interpreterSource(tableOf([load], [['LW4', 'LW4']])), 'LW4_LW4');
    const declared = lines.flatMap((line) => /^const (\w+)/.exec(line)?.[1] ?? []);
    expect(new Set(declared).size).toBe(4);
  });

  it('refuses a pair whose first operation is a jump, and one that names nothing', () => {
    expect(() => interpreterSource(tableOf([add, jump], [['J_LOCAL2', 'ADD2']]))).toThrow('cannot begin');
    expect(() => interpreterSource(tableOf([add], [['ADD4', 'SUB4']]))).toThrow('no such operation');
  });

  it('leaves no operation of the real table to chance: each has a case here or a call in the slow path', () => {
    const cases = interpreterSource(operationTable) + slowPathSource(operationTable);
    for (const { name } of [...operationTable.operations, ...operationTable.pairs]) {
      expect(cases).toMatch(new RegExp(`case ${name}:`));
    }
  });
});

describe('a variant of the core', () => {
  it.each([{ isUncounted: true }, { isUnchecked: true }, { isPairCounted: true }])(
    'is the same text but for what it lacks or counts: %o',
    (variant) => {
      const whole = interpreterSource(operationTable);
      const varied = interpreterSource(operationTable, variant);
      expect(varied).not.toBe(whole);
      const lines = new Set(whole.split('\n'));
      const changed = varied.split('\n').filter((line) => !lines.has(line));
      expect(changed.length).toBeLessThan(whole.split('\n').length / 3);
    },
  );
});

describe('the generated slow path', () => {
  it('takes a pair that begins with an access for its first operation', () => {
    const source = slowPathSource(
      tableOf(
        [add, load],
        [
          ['LW4', 'ADD4'],
          ['ADD4', 'LW4'],
        ],
      ),
    );
    expect(source).toMatch(/case LW4:\s+case LW4_ADD4:\s+return loadInteger\(ip, 4, 32, 16\);/);
    expect(source).not.toContain('ADD4_LW4');
  });
});

describe('the generated decoder', () => {
  it('refuses a table in which two instructions cannot be told apart', () => {
    expect(() => decodeWordSource(tableOf([add, { ...add, name: 'SUM' }], []))).toThrow(
      'not told apart: ADD, SUM',
    );
  });
});

describe('the generated numbers', () => {
  it('count from 0 through the operations, then the pairs', () => {
    const source = operationNumbersSource(tableOf([add, load], [['LW4', 'ADD4']]));
    const numbers = [...source.matchAll(/export const (\w+): u32 = (\d+);/g)].map(([, name, number]) => [
      name,
      Number(number),
    ]);
    expect(numbers).toEqual([
      ['ADD4', 0],
      ['ADD2', 1],
      ['LW4', 2],
      ['LW4_ADD4', 3],
      ['FIRST_PAIR', 3],
    ]);
  });
});
