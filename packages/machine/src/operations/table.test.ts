import { describe, expect, it } from 'vitest';
import type { WordEncoding } from './encoding.ts';
import { type Instruction, operationName } from './instruction.ts';
import { operationTable } from './table.ts';

const { instructions, operations, pairs } = operationTable;
const operationNames = new Set(operations.map(({ name }) => name));
const encoded = instructions.flatMap(({ name, encoding }) =>
  encoding === undefined ? [] : encoding.opcodes.map((opcode) => ({ name, opcode, encoding })),
);

/** The bits that tell an instruction from others, and what they are. */
function fixedBits(
  opcode: number,
  { funct3, funct5, funct6, funct7, funct12 }: WordEncoding,
): { mask: number; bits: number } {
  let mask = 0x7f;
  let bits = (opcode << 2) | 3;
  const fix = (value: number | undefined, field: number, shift: number): void => {
    if (value === undefined) return;
    mask |= field << shift;
    bits |= value << shift;
  };
  fix(funct3, 7, 12);
  fix(funct5, 0x1f, 27);
  fix(funct6, 0x3f, 26);
  fix(funct7, 0x7f, 25);
  fix(funct12, 0xfff, 20);
  return { mask, bits };
}

describe('the table of operations', () => {
  it('gives every operation and pair a name of its own and a number that fits a byte', () => {
    const names = [...operationNames, ...pairs.map(({ name }) => name)];
    expect(new Set(names).size).toBe(operations.length + pairs.length);
    expect(names.length).toBeLessThanOrEqual(256);
  });

  it('has the undecoded entry at 0, where zeroed memory points', () => {
    expect(operations[0]?.name).toBe('DECODE');
  });

  it('leaves no word to two instructions', () => {
    const clashes = encoded.flatMap((one, index) =>
      encoded.slice(index + 1).flatMap((other) => {
        const a = fixedBits(one.opcode, one.encoding);
        const b = fixedBits(other.opcode, other.encoding);
        const both = a.mask & b.mask;
        return (a.bits & both) === (b.bits & both) ? [`${one.name} ${other.name}`] : [];
      }),
    );
    expect(clashes).toEqual([]);
  });

  it('has an operation of 4 bytes for every instruction with an encoding of 32 bits', () => {
    expect(encoded.length).toBeGreaterThan(60);
    for (const { name } of encoded) {
      expect(operations.some(({ instruction, length }) => instruction.name === name && length === 4)).toBe(
        true,
      );
    }
  });

  it('knows what does the same without a result, for every jump with a link and every load', () => {
    const writesRd = ({ effect }: Instruction): boolean =>
      (effect.kind === 'load' || effect.kind === 'jump' || effect.kind === 'indirect') &&
      ('links' in effect ? effect.links : effect.file === 'integer');
    const concerned = operations.filter(({ instruction, length }) => length === 4 && writesRd(instruction));
    expect(concerned.length).toBeGreaterThan(8);
    for (const { instruction, length, reach } of concerned) {
      const other = operationName(instruction.withoutResult ?? '', length, reach);
      expect(operationNames).toContain(other);
    }
  });

  it('makes pairs of operations that exist and says where each pair was seen', () => {
    for (const { first, second, provenance } of pairs) {
      expect(operationNames).toContain(first);
      expect(operationNames).toContain(second);
      expect(provenance).not.toBe('');
    }
  });
});
