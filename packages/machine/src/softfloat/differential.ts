/**
 * Test tool: runs one instruction on the core and compares result and flags with the reference's outcome.
 * Keeps the first few differences as lines that say all that is needed to try them again.
 */
import type { FloatUnit } from './float-unit.ts';
import {
  encode,
  encodeFused,
  type Mnemonic,
  operandRegister,
  resultRegister,
  writesInteger,
} from './instruction.ts';
import {
  referenceBinary,
  referenceClass,
  referenceCompare,
  referenceConvert,
  referenceExtreme,
  referenceFromInteger,
  referenceFused,
  referenceSquareRoot,
  referenceToInteger,
} from './reference.ts';
import {
  type BinaryFormat,
  binary32,
  binary64,
  type Outcome,
  type RoundingMode,
  roundingModes,
} from './reference-value.ts';

export const formats = [binary32, binary64] as const;
export const fusedMnemonics = ['fmadd', 'fmsub', 'fnmsub', 'fnmadd'] as const;
export type FusedMnemonic = (typeof fusedMnemonics)[number];

const differencesMax = 5;
const boxed = 0xffff_ffff_0000_0000n;

export interface Operands {
  readonly a?: bigint;
  readonly b?: bigint;
  readonly c?: bigint;
  /** Of an integer register. */
  readonly integer?: bigint;
}

export class Differential {
  readonly differences: string[] = [];
  compared = 0;
  readonly #unit: FloatUnit;

  constructor(unit: FloatUnit) {
    this.#unit = unit;
  }

  /** Compares one instruction in one rounding mode, given in the instruction itself. */
  check(
    mnemonic: Mnemonic | FusedMnemonic,
    format: BinaryFormat,
    mode: RoundingMode,
    operands: Operands,
  ): void {
    const expected = expectedOutcome(mnemonic, format, mode, operands);
    const actual = runOnUnit(this.#unit, mnemonic, format, mode, operands);
    this.compared += 1;
    if (actual.bits === expected.bits && actual.flags === expected.flags) return;
    if (this.differences.length >= differencesMax) return;
    const hex = (bits: bigint | undefined) => bits?.toString(16) ?? '-';
    const { a, b, c, integer } = operands;
    this.differences.push(
      `${mnemonic}.${format.name} ${mode} a=${hex(a)} b=${hex(b)} c=${hex(c)} integer=${hex(integer)}: ` +
        `core ${hex(actual.bits)} flags ${actual.flags}, reference ${hex(expected.bits)} flags ${expected.flags}`,
    );
  }
}

/** The result register's low half or whole, as the format wants, and the flags raised. */
export function runOnUnit(
  unit: FloatUnit,
  mnemonic: Mnemonic | FusedMnemonic,
  format: BinaryFormat,
  mode: RoundingMode,
  { a = 0n, b = 0n, c = 0n, integer = 0n }: Operands,
): Outcome {
  const source = sourceFormat(mnemonic, format);
  unit.setFloat(operandRegister.a, inRegister(a, source));
  unit.setFloat(operandRegister.b, inRegister(b, source));
  unit.setFloat(operandRegister.c, inRegister(c, source));
  unit.setInteger(operandRegister.integer, integer);
  unit.fcsr = 0;
  const code = roundingModes.indexOf(mode);
  const instruction = isFused(mnemonic)
    ? encodeFused(mnemonic, format, code)
    : encode(mnemonic, format, code);
  if (unit.execute(instruction) !== 0) throw new Error(`${mnemonic} is refused as illegal`);
  if (!isFused(mnemonic) && writesInteger(mnemonic)) {
    return { bits: unit.integer(resultRegister.integer), flags: unit.fcsr };
  }
  const bits = unit.float(resultRegister.float);
  return { bits: format === binary32 && bits >= boxed ? bits - boxed : bits, flags: unit.fcsr };
}

/** A binary32 is boxed in its register. */
export function inRegister(bits: bigint, format: BinaryFormat): bigint {
  return format === binary32 ? boxed | bits : bits;
}

function sourceFormat(mnemonic: Mnemonic | FusedMnemonic, format: BinaryFormat): BinaryFormat {
  if (mnemonic === 'fcvt.from.s') return binary32;
  return mnemonic === 'fcvt.from.d' ? binary64 : format;
}

function isFused(mnemonic: Mnemonic | FusedMnemonic): mnemonic is FusedMnemonic {
  return fusedMnemonics.some((fused) => fused === mnemonic);
}

function expectedOutcome(
  mnemonic: Mnemonic | FusedMnemonic,
  format: BinaryFormat,
  mode: RoundingMode,
  { a = 0n, b = 0n, c = 0n, integer = 0n }: Operands,
): Outcome {
  switch (mnemonic) {
    case 'fadd':
    case 'fsub':
    case 'fmul':
    case 'fdiv':
      return referenceBinary(mnemonic, a, b, mode, format);
    case 'fsqrt':
      return referenceSquareRoot(a, mode, format);
    case 'fmadd':
    case 'fmsub':
    case 'fnmsub':
    case 'fnmadd':
      return referenceFused(mnemonic, [a, b, c], mode, format);
    case 'feq':
    case 'flt':
    case 'fle':
      return referenceCompare(mnemonic, a, b, format);
    case 'fmin':
    case 'fmax':
      return referenceExtreme(mnemonic, a, b, format);
    case 'fclass':
      return referenceClass(a, format);
    case 'fcvt.w':
      return referenceToInteger(a, 'w', mode, format);
    case 'fcvt.wu':
      return referenceToInteger(a, 'wu', mode, format);
    case 'fcvt.l':
      return referenceToInteger(a, 'l', mode, format);
    case 'fcvt.lu':
      return referenceToInteger(a, 'lu', mode, format);
    case 'fcvt.from.w':
      return referenceFromInteger(integer, 'w', mode, format);
    case 'fcvt.from.wu':
      return referenceFromInteger(integer, 'wu', mode, format);
    case 'fcvt.from.l':
      return referenceFromInteger(integer, 'l', mode, format);
    case 'fcvt.from.lu':
      return referenceFromInteger(integer, 'lu', mode, format);
    case 'fcvt.from.s':
    case 'fcvt.from.d':
      return referenceConvert(a, format, mode);
    default:
      return expectedBits(mnemonic, format, a, b, integer);
  }
}

/** What only moves bits: sign injection and moves raise nothing. */
function expectedBits(
  mnemonic: Mnemonic,
  format: BinaryFormat,
  a: bigint,
  b: bigint,
  integer: bigint,
): Outcome {
  const signBit = 1n << (format.width - 1n);
  const moved: Partial<Record<Mnemonic, bigint>> = {
    fsgnj: (a & ~signBit) | (b & signBit),
    fsgnjn: (a & ~signBit) | (~b & signBit),
    fsgnjx: a ^ (b & signBit),
    'fmv.to.x': BigInt.asUintN(64, BigInt.asIntN(Number(format.width), a)),
    'fmv.from.x': BigInt.asUintN(Number(format.width), integer),
  };
  const bits = moved[mnemonic];
  if (bits === undefined) throw new Error(`the reference has no ${mnemonic}`);
  return { bits, flags: 0 };
}
