/**
 * Test tool: the encodings of the F and D instructions, operands in fixed registers: floats in f1, f2, f3 and
 * an integer in x5; the result goes to f4 or x6.
 * Source: RISC-V Unprivileged ISA 20240411, "RV32/64G Instruction Set Listings".
 */
import type { BinaryFormat } from './reference-value.ts';

export const operandRegister = { a: 1, b: 2, c: 3, integer: 5 } as const;
export const resultRegister = { float: 4, integer: 6 } as const;

/** In the rm field: take the mode from frm. */
export const dynamicMode = 7;

const majorOpcode = { fmadd: 0x43, fmsub: 0x47, fnmsub: 0x4b, fnmadd: 0x4f, other: 0x53 } as const;

/** Bits 31:27; second: what stands in the place of rs2; mode: what stands in the place of rm. */
interface Encoding {
  readonly operation: number;
  readonly second?: number;
  readonly mode?: number;
  readonly from?: 'integer';
  readonly to?: 'integer';
}

const encodings = {
  fadd: { operation: 0x00 },
  fsub: { operation: 0x01 },
  fmul: { operation: 0x02 },
  fdiv: { operation: 0x03 },
  fsqrt: { operation: 0x0b, second: 0 },
  fsgnj: { operation: 0x04, mode: 0 },
  fsgnjn: { operation: 0x04, mode: 1 },
  fsgnjx: { operation: 0x04, mode: 2 },
  fmin: { operation: 0x05, mode: 0 },
  fmax: { operation: 0x05, mode: 1 },
  fle: { operation: 0x14, mode: 0, to: 'integer' },
  flt: { operation: 0x14, mode: 1, to: 'integer' },
  feq: { operation: 0x14, mode: 2, to: 'integer' },
  'fcvt.w': { operation: 0x18, second: 0, to: 'integer' },
  'fcvt.wu': { operation: 0x18, second: 1, to: 'integer' },
  'fcvt.l': { operation: 0x18, second: 2, to: 'integer' },
  'fcvt.lu': { operation: 0x18, second: 3, to: 'integer' },
  'fcvt.from.w': { operation: 0x1a, second: 0, from: 'integer' },
  'fcvt.from.wu': { operation: 0x1a, second: 1, from: 'integer' },
  'fcvt.from.l': { operation: 0x1a, second: 2, from: 'integer' },
  'fcvt.from.lu': { operation: 0x1a, second: 3, from: 'integer' },
  'fcvt.from.s': { operation: 0x08, second: 0 },
  'fcvt.from.d': { operation: 0x08, second: 1 },
  'fmv.to.x': { operation: 0x1c, second: 0, mode: 0, to: 'integer' },
  fclass: { operation: 0x1c, second: 0, mode: 1, to: 'integer' },
  'fmv.from.x': { operation: 0x1e, second: 0, mode: 0, from: 'integer' },
} as const satisfies Record<string, Encoding>;

export type Mnemonic = keyof typeof encodings;

export interface Fields {
  readonly major: number;
  /** Bits 31:25. */
  readonly upper: number;
  readonly second: number;
  readonly first: number;
  readonly mode: number;
  readonly destination: number;
}

export function assemble({ major, upper, second, first, mode, destination }: Fields): number {
  return ((upper << 25) | (second << 20) | (first << 15) | (mode << 12) | (destination << 7) | major) >>> 0;
}

/** mode is taken where the instruction has a rounding mode. */
export function encode(mnemonic: Mnemonic, format: BinaryFormat, mode: number = dynamicMode): number {
  const encoding: Encoding = encodings[mnemonic];
  return assemble({
    major: majorOpcode.other,
    upper: (encoding.operation << 2) | formatField(format),
    second: encoding.second ?? operandRegister.b,
    first: encoding.from === 'integer' ? operandRegister.integer : operandRegister.a,
    mode: encoding.mode ?? mode,
    destination: encoding.to === 'integer' ? resultRegister.integer : resultRegister.float,
  });
}

export function encodeFused(
  mnemonic: 'fmadd' | 'fmsub' | 'fnmsub' | 'fnmadd',
  format: BinaryFormat,
  mode: number = dynamicMode,
): number {
  return assemble({
    major: majorOpcode[mnemonic],
    upper: (operandRegister.c << 2) | formatField(format),
    second: operandRegister.b,
    first: operandRegister.a,
    mode,
    destination: resultRegister.float,
  });
}

export function writesInteger(mnemonic: Mnemonic): boolean {
  const encoding: Encoding = encodings[mnemonic];
  return encoding.to === 'integer';
}

export function formatField(format: BinaryFormat): number {
  return format.name === 'S' ? 0 : 1;
}
