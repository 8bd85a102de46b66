/**
 * assembly/generated/decode-word.ts: which operation a 32-bit instruction is, as switches over its opcode, funct3 and
 * high bits (funct5, funct6, funct7 or funct12), and which reader of assembly/decode.ts takes its operands.
 * Source: RISC-V ISA manual, "RV32/64G Instruction Set Listings".
 */
import type { Format, WordEncoding } from '../src/operations/encoding.ts';
import { type Instruction, operationName } from '../src/operations/instruction.ts';
import type { OperationTable } from '../src/operations/table.ts';
import { importOperations, indented, nest } from './text.ts';

interface Encoded {
  readonly encoding: WordEncoding;
  readonly instruction: Instruction;
}

export function decodeWordSource(table: OperationTable): string {
  const encoded = table.instructions.flatMap((instruction): Encoded[] =>
    instruction.encoding === undefined ? [] : [{ encoding: instruction.encoding, instruction }],
  );
  const body = indented(1, opcodeSwitch(encoded));
  return `import {
${indented(
  1,
  [...new Set(Object.values(readers)), 'setEntry'].map((name) => `${name},`),
)}
} from '../decode';
${importOperations(`${body} ILLEGAL4`, table)}
/** Writes the entry of one 32-bit instruction. \`offset\` is the instruction's place in its page. */
export function decodeWord(entry: u32, instruction: u32, offset: u32): void {
${body}
  // The trap value of an illegal instruction is its bits.
  setEntry(entry, ILLEGAL4, 0, 0, 0, instruction as i32);
}
`;
}

const readers: Readonly<Record<Format, string>> = {
  immediate: 'readImmediate',
  shift: 'readShift',
  'shift-word': 'readShiftWord',
  register: 'readRegisters',
  source: 'readSource',
  upper: 'readUpper',
  'load-float': 'readLoadFloat',
  store: 'readStore',
  branch: 'readBranch',
  jump: 'readJump',
  none: 'readNothing',
  whole: 'readWhole',
  'load-reserved': 'readLoadReserved',
  'whole-float': 'readWholeFloat',
};

function opcodeSwitch(encoded: readonly Encoded[]): string[] {
  const byOpcode = new Map<number, Encoded[]>();
  for (const one of encoded) {
    for (const opcode of one.encoding.opcodes) byOpcode.set(opcode, [...(byOpcode.get(opcode) ?? []), one]);
  }
  return choice('(instruction >> 2) & 31', byOpcode, (group) => choiceByFunct3(group));
}

function choiceByFunct3(group: readonly Encoded[]): string[] {
  if (group.every(({ encoding }) => encoding.funct3 === undefined)) return readSole(group);
  const byFunct3 = Map.groupBy(group, ({ encoding }) => requireField(encoding.funct3));
  return choice('(instruction >> 12) & 7', byFunct3, (those) => choiceByHighBits(those));
}

/** The high bits that tell an instruction from others of its opcode and funct3, and how many they are. */
function highBitsOf({ funct5, funct6, funct7, funct12 }: WordEncoding): { value: number; width: number } {
  if (funct12 !== undefined) return { value: funct12, width: 12 };
  if (funct7 !== undefined) return { value: funct7, width: 7 };
  if (funct6 !== undefined) return { value: funct6, width: 6 };
  return funct5 === undefined ? { value: 0, width: 0 } : { value: funct5, width: 5 };
}

/** By as many bits as all have, then those that share them by more. */
function choiceByHighBits(group: readonly Encoded[]): string[] {
  const width = Math.min(...group.map(({ encoding }) => highBitsOf(encoding).width));
  if (width === 0) return readSole(group);
  const byBits = Map.groupBy(group, ({ encoding }) => {
    const bits = highBitsOf(encoding);
    return bits.value >> (bits.width - width);
  });
  return choice(`instruction >> ${32 - width}`, byBits, (those) => {
    const isDone = those.some(({ encoding }) => highBitsOf(encoding).width === width);
    return isDone ? readSole(those) : choiceByHighBits(those);
  });
}

/** What no case takes leaves every switch and is illegal. */
function choice(
  subject: string,
  groups: ReadonlyMap<number, readonly Encoded[]>,
  inside: (group: readonly Encoded[]) => string[],
): string[] {
  const cases = [...groups]
    .sort(([a], [b]) => a - b)
    .flatMap(([value, group]) => {
      const lines = inside(group);
      const end = lines.at(-1) === 'return;' ? [] : ['break;'];
      return [`case 0x${value.toString(16)}:`, ...[...lines, ...end].map(nest)];
    });
  return [`switch (${subject}) {`, ...[...cases, 'default:'].map(nest), '}'];
}

function readSole(group: readonly Encoded[]): string[] {
  const [one, another] = group;
  if (one === undefined || another !== undefined) {
    throw new Error(`not told apart: ${group.map(({ instruction }) => instruction.name).join(', ')}`);
  }
  const { encoding, instruction } = one;
  const reader = readers[encoding.format];
  const { kind } = instruction.effect;
  if (kind === 'branch' || kind === 'jump') {
    const local = operationName(instruction.name, 4, 'local');
    const far = operationName(instruction.name, 4, 'far');
    return [`${reader}(entry, ${local}, ${far}, instruction, offset);`, 'return;'];
  }
  return [`${reader}(entry, ${operationName(instruction.name, 4)}, instruction);`, 'return;'];
}

function requireField(value: number | undefined): number {
  if (value === undefined)
    throw new Error('an opcode is told apart by the same fields for all its instructions');
  return value;
}
