/**
 * The kinds of operands of RV64GC instructions: where each one's bits lie in the word, what it may hold, and how
 * it is written in GNU syntax. Source: RISC-V Unprivileged ISA, "RV32/64G Instruction Set Listings" and
 * "RVC Instruction Set Listings".
 */
import { AssemblyError } from './assembly-error.ts';
import { type CsrName, csrNumbers } from './csr.ts';
import {
  type FRegister,
  fRegisters,
  type ShortFRegister,
  type ShortXRegister,
  type XRegister,
  xRegisters,
} from './registers.ts';

/** A label, or a distance in bytes from the instruction itself. */
export type Target = string | number;
export type RoundingMode = 'rne' | 'rtz' | 'rdn' | 'rup' | 'rmm' | 'dyn';
/** Acquire and release bits of an atomic. */
export type MemoryOrder = '' | 'rl' | 'aq' | 'aqrl';
/** A set out of device input, device output, memory reads, memory writes, in this order: `rw`, `iorw`. */
export type FenceSet = string;

const roundingModes: readonly (RoundingMode | '')[] = ['rne', 'rtz', 'rdn', 'rup', 'rmm', '', '', 'dyn'];
const memoryOrders: readonly MemoryOrder[] = ['', 'rl', 'aq', 'aqrl'];

/** `[high, low, at]`: bits high..low of the value stand at bit `at` of the instruction and above. */
type BitRange = readonly [high: number, low: number, at: number];

interface RegisterRule {
  readonly is: 'register';
  readonly names: readonly string[];
  readonly at: number;
  /** Number of the first register that the field can name. */
  readonly first: number;
  readonly isBase?: boolean;
}

interface NumberRule {
  readonly is: 'number';
  readonly bits: readonly BitRange[];
  readonly min: number;
  readonly max: number;
  readonly multipleOf: number;
  readonly isNonzero?: boolean;
  /** Stands before a base register in parentheses. */
  readonly isOffset?: boolean;
  /** Relative to the instruction, and may be a label. */
  readonly isTarget?: boolean;
  readonly print?: 'hex' | 'hex20';
}

interface NameRule {
  readonly is: 'name';
  encode(value: string | number): number | undefined;
}

type OperandRule = RegisterRule | NumberRule | NameRule;

const integer = (at: number): RegisterRule => ({ is: 'register', names: xRegisters, at, first: 0 });
const float = (at: number): RegisterRule => ({ is: 'register', names: fRegisters, at, first: 0 });
const shortInteger = (at: number): RegisterRule => ({
  ...integer(at),
  names: xRegisters.slice(8, 16),
  first: 8,
});
const shortFloat = (at: number): RegisterRule => ({ ...float(at), names: fRegisters.slice(8, 16), first: 8 });

function signed(width: number, bits: readonly BitRange[], multipleOf = 1): NumberRule {
  const half = 2 ** (width - 1);
  return { is: 'number', bits, min: -half, max: half - multipleOf, multipleOf };
}

function unsigned(width: number, bits: readonly BitRange[], multipleOf = 1): NumberRule {
  return { is: 'number', bits, min: 0, max: 2 ** width - multipleOf, multipleOf };
}

const compressedImmediate: readonly BitRange[] = [
  [5, 5, 12],
  [4, 0, 2],
];

const operandRules = {
  rd: integer(7),
  rs1: integer(15),
  rs2: integer(20),
  base: { ...integer(15), isBase: true },
  fd: float(7),
  fs1: float(15),
  fs2: float(20),
  fs3: float(27),
  imm: signed(12, [[11, 0, 20]]),
  offset: { ...signed(12, [[11, 0, 20]]), isOffset: true },
  storeOffset: {
    ...signed(12, [
      [11, 5, 25],
      [4, 0, 7],
    ]),
    isOffset: true,
  },
  branch: {
    ...signed(
      13,
      [
        [12, 12, 31],
        [10, 5, 25],
        [4, 1, 8],
        [11, 11, 7],
      ],
      2,
    ),
    isTarget: true,
  },
  jump: {
    ...signed(
      21,
      [
        [20, 20, 31],
        [10, 1, 21],
        [11, 11, 20],
        [19, 12, 12],
      ],
      2,
    ),
    isTarget: true,
  },
  upper: { ...unsigned(20, [[19, 0, 12]]), print: 'hex20' },
  shift: { ...unsigned(6, [[5, 0, 20]]), print: 'hex' },
  shiftWord: { ...unsigned(5, [[4, 0, 20]]), print: 'hex' },
  bits5: unsigned(5, [[4, 0, 15]]),
  csr: { is: 'name', encode: encodeCsr },
  predecessor: { is: 'name', encode: (value) => encodeFenceSet(value, 24) },
  successor: { is: 'name', encode: (value) => encodeFenceSet(value, 20) },
  rounding: { is: 'name', encode: (value) => placed(roundingModes.indexOf(value as RoundingMode), 12) },
  order: { is: 'name', encode: (value) => placed(memoryOrders.indexOf(value as MemoryOrder), 25) },

  // Compressed forms. `cd` is destination and first source at once.
  cd: integer(7),
  cs2: integer(2),
  cfd: float(7),
  cfs2: float(2),
  shortD: shortInteger(2),
  shortS1: shortInteger(7),
  shortBase: { ...shortInteger(7), isBase: true },
  shortFd: shortFloat(2),
  cImm: signed(6, compressedImmediate),
  cImmNonzero: { ...signed(6, compressedImmediate), isNonzero: true },
  cUpper: { ...signed(6, compressedImmediate), isNonzero: true, print: 'hex20' },
  cShift: { ...unsigned(6, compressedImmediate), isNonzero: true, print: 'hex' },
  cStackStep: {
    ...signed(
      10,
      [
        [9, 9, 12],
        [4, 4, 6],
        [6, 6, 5],
        [8, 7, 3],
        [5, 5, 2],
      ],
      16,
    ),
    isNonzero: true,
  },
  cStackAddress: {
    ...unsigned(
      10,
      [
        [5, 4, 11],
        [9, 6, 7],
        [2, 2, 6],
        [3, 3, 5],
      ],
      4,
    ),
    isNonzero: true,
  },
  cOffsetWord: {
    ...unsigned(
      7,
      [
        [5, 3, 10],
        [2, 2, 6],
        [6, 6, 5],
      ],
      4,
    ),
    isOffset: true,
  },
  cOffsetDouble: {
    ...unsigned(
      8,
      [
        [5, 3, 10],
        [7, 6, 5],
      ],
      8,
    ),
    isOffset: true,
  },
  cStackLoadWord: unsigned(
    8,
    [
      [5, 5, 12],
      [4, 2, 4],
      [7, 6, 2],
    ],
    4,
  ),
  cStackLoadDouble: unsigned(
    9,
    [
      [5, 5, 12],
      [4, 3, 5],
      [8, 6, 2],
    ],
    8,
  ),
  cStackStoreWord: unsigned(
    8,
    [
      [5, 2, 9],
      [7, 6, 7],
    ],
    4,
  ),
  cStackStoreDouble: unsigned(
    9,
    [
      [5, 3, 10],
      [8, 6, 7],
    ],
    8,
  ),
  cBranch: {
    ...signed(
      9,
      [
        [8, 8, 12],
        [4, 3, 10],
        [7, 6, 5],
        [2, 1, 3],
        [5, 5, 2],
      ],
      2,
    ),
    isTarget: true,
  },
  cJump: {
    ...signed(
      12,
      [
        [11, 11, 12],
        [4, 4, 11],
        [9, 8, 9],
        [10, 10, 8],
        [6, 6, 7],
        [7, 7, 6],
        [3, 1, 3],
        [5, 5, 2],
      ],
      2,
    ),
    isTarget: true,
  },
} as const satisfies Record<string, OperandRule>;

export type OperandKind = keyof typeof operandRules;

type IntegerKind = 'rd' | 'rs1' | 'rs2' | 'base' | 'cd' | 'cs2';
type FloatKind = 'fd' | 'fs1' | 'fs2' | 'fs3' | 'cfd' | 'cfs2';

/** What a caller passes for an operand of this kind. */
export type OperandValue<Kind extends OperandKind> = Kind extends IntegerKind
  ? XRegister
  : Kind extends FloatKind
    ? FRegister
    : Kind extends 'shortD' | 'shortS1' | 'shortBase'
      ? ShortXRegister
      : Kind extends 'shortFd'
        ? ShortFRegister
        : Kind extends 'branch' | 'jump' | 'cBranch' | 'cJump'
          ? Target
          : Kind extends 'csr'
            ? CsrName | number
            : Kind extends 'predecessor' | 'successor'
              ? FenceSet
              : Kind extends 'rounding'
                ? RoundingMode
                : Kind extends 'order'
                  ? MemoryOrder
                  : number;

/** What an operand is when the caller leaves it out; only the last one may be. */
export function defaultOperand(kind: OperandKind): string | undefined {
  if (kind === 'rounding') return 'dyn';
  return kind === 'order' ? '' : undefined;
}

export function isTargetKind(kind: OperandKind): boolean {
  const rule: OperandRule = operandRules[kind];
  return rule.is === 'number' && rule.isTarget === true;
}

/**
 * The operand's bits in their places.
 * @throws AssemblyError assembly.operand when the field cannot hold the value.
 */
export function encodeOperand(kind: OperandKind, value: string | number): number {
  const rule: OperandRule = operandRules[kind];
  if (rule.is === 'register') {
    const index = rule.names.indexOf(String(value));
    if (index < 0) throw refusal(kind, value, `one of ${rule.names.join(' ')}`);
    return (index << rule.at) >>> 0;
  }
  if (rule.is === 'name') {
    const bits = rule.encode(value);
    if (bits === undefined) throw refusal(kind, value, 'a name it knows');
    return bits;
  }
  const isFit =
    typeof value === 'number' && value >= rule.min && value <= rule.max && value % rule.multipleOf === 0;
  if (!isFit || (rule.isNonzero === true && value === 0)) {
    const nonzero = rule.isNonzero === true ? ' but 0' : '';
    throw refusal(kind, value, `a multiple of ${rule.multipleOf} in ${rule.min}..${rule.max}${nonzero}`);
  }
  let bits = 0;
  for (const [high, low, at] of rule.bits) bits |= ((value >> low) & (2 ** (high - low + 1) - 1)) << at;
  return bits >>> 0;
}

/** Operands in GNU syntax, as `objdump -M no-aliases` writes them: `a0,8(sp)`. */
export function describeOperands(
  kinds: readonly OperandKind[],
  values: readonly (string | number)[],
): string {
  let text = '';
  let isAfterOffset = false;
  kinds.forEach((kind, index) => {
    const rule: OperandRule = operandRules[kind];
    const value = values[index] ?? '';
    if (kind === 'order' || (kind === 'rounding' && value === 'dyn')) return;
    const separator = text === '' || isAfterOffset ? '' : ',';
    isAfterOffset = rule.is === 'number' && rule.isOffset === true;
    const isBase = rule.is === 'register' && rule.isBase === true;
    text += separator + (isBase ? `(${value})` : describeValue(rule, value));
  });
  return text;
}

function describeValue(rule: OperandRule, value: string | number): string {
  if (typeof value === 'string' || rule.is !== 'number') return String(value);
  if (rule.print === 'hex20') return `0x${(value & 0xfffff).toString(16)}`;
  if (rule.print === 'hex') return `0x${value.toString(16)}`;
  return rule.isTarget === true && value >= 0 ? `+${value}` : String(value);
}

function encodeCsr(value: string | number): number | undefined {
  const number = typeof value === 'number' ? value : (csrNumbers as Record<string, number>)[value];
  return number !== undefined && number >= 0 && number < 4096 ? (number << 20) >>> 0 : undefined;
}

function encodeFenceSet(value: string | number, at: number): number | undefined {
  if (!/^i?o?r?w?$/.test(String(value))) return undefined;
  let bits = 0;
  for (const letter of String(value)) bits |= 8 >> 'iorw'.indexOf(letter);
  return bits << at;
}

function placed(index: number, at: number): number | undefined {
  return index < 0 ? undefined : (index << at) >>> 0;
}

function refusal(kind: OperandKind, value: string | number, wanted: string): AssemblyError {
  return new AssemblyError('assembly.operand', `an operand of kind ${kind} is ${value}; it takes ${wanted}`);
}
