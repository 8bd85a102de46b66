import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  describeInstruction,
  encodeInstruction,
  type Mnemonic,
  mnemonics,
  operandKinds,
} from './instruction-table.ts';
import type { InstructionVector } from './objdump-vectors.ts';
import { isTargetKind } from './operand.ts';

const vectors = JSON.parse(
  readFileSync(new URL('instruction-vectors.json', import.meta.url), 'utf8'),
) as readonly InstructionVector[];

/** GNU spells out operands that have only one value, and branch targets as 64-bit addresses. */
function asObjdumpWrites(mnemonic: Mnemonic, operands: readonly (string | number)[]): string {
  const isTarget = operandKinds(mnemonic).map(isTargetKind);
  const spelled = operands.map((operand, index) =>
    isTarget[index] === true ? `0x${BigInt.asUintN(64, BigInt(operand)).toString(16)}` : operand,
  );
  const text = describeInstruction(mnemonic, spelled);
  if (mnemonic === 'c.nop') return 'c.addi zero,0';
  return text.replace(/^(c\.addi4spn \w+),/, '$1,sp,').replace(/^(c\.addi16sp) /, '$1 sp,');
}

const impliedStackBase = /^(c\.f?[ls][wd]sp .*)\(sp\)$/;

describe('the instruction table', () => {
  test('has a vector made by objdump for every instruction', () => {
    expect(new Set(vectors.map((vector) => vector.mnemonic))).toEqual(new Set(mnemonics));
  });

  test.each(vectors)('encodes $objdump as $bits', ({ mnemonic, operands, bits, objdump }) => {
    expect(encodeInstruction(mnemonic, operands).toString(16).padStart(bits.length, '0')).toBe(bits);
    expect(asObjdumpWrites(mnemonic, operands)).toBe(objdump.replace(impliedStackBase, '$1'));
  });

  test.each([
    ['addi', ['a0', 'a0', 2048]],
    ['addi', ['a0', 'a0', 0.5]],
    ['sd', ['a0', -2049, 'a0']],
    ['beq', ['a0', 'a0', 3]],
    ['jal', ['a0', 1048576]],
    ['lui', ['a0', -1]],
    ['slliw', ['a0', 'a0', 32]],
    ['c.addi', ['a0', 0]],
    ['c.sub', ['a0', 'a6']],
    ['fadd.s', ['a0', 'fa0', 'fa0']],
    ['fadd.s', ['fa0', 'fa0', 'fa0', 'up']],
    ['csrrw', ['a0', 'mnothing', 'a0']],
    ['fence', ['wr', 'rw']],
    ['add', ['a0', 'a0']],
  ] as const)('refuses %s %j, which no instruction can hold', (mnemonic, operands) => {
    expect(() => encodeInstruction(mnemonic, operands)).toThrow(/it takes/);
  });
});
