/** Random fragments of single and double precision: all operations, all rounding modes, special operands. */
import { encodeInstruction, type FRegister, type Mnemonic, type RoundingMode } from '@skein/guests';
import type { Random } from '../random.ts';
import type { Fragment } from '../test-program.ts';
import { anyDestination, anyFloat, anySource } from './register-choice.ts';

const roundings: readonly RoundingMode[] = ['rne', 'rtz', 'rdn', 'rup', 'rmm', 'dyn', 'dyn', 'dyn'];
const fused = ['fmadd', 'fmsub', 'fnmsub', 'fnmadd'] as const;
const rounded = ['fadd', 'fsub', 'fmul', 'fdiv'] as const;
const exact = ['fsgnj', 'fsgnjn', 'fsgnjx', 'fmin', 'fmax'] as const;
const compared = ['feq', 'flt', 'fle'] as const;
const integers = ['w', 'wu', 'l', 'lu'] as const;

type Format = 's' | 'd';
type Operation = readonly [Mnemonic, ...(string | number)[]];

/** On whatever the registers hold. */
export function floatOperation(random: Random): Fragment {
  if (random.oneIn(12)) return floatMove(random);
  const sources = [anyFloat(random), anyFloat(random), anyFloat(random)] as const;
  const [mnemonic, ...operands] = operationOn(random, random.pick(['s', 'd']), sources);
  return (a) => a.emit(mnemonic, operands);
}

/** On operands of its own, of the right format and near enough to each other that rounding has something to decide. */
export function freshOperation(random: Random): Fragment {
  const format = random.pick(['s', 'd'] as const);
  const values = random.oneIn(2)
    ? tiedOperands(random, format)
    : Array.from({ length: 3 }, () => floatBits(random, format));
  const integer = random.interesting64();
  const [mnemonic, ...operands] = operationOn(random, format, ['ft0', 'ft1', 'ft2']);
  return (a) => {
    for (const [index, register] of (['ft0', 'ft1', 'ft2'] as const).entries()) {
      a.li('t6', values[index] ?? 0n);
      a.fmvDX(register, 't6');
    }
    if (mnemonic.startsWith('fcvt')) a.li('t6', integer);
    a.emit(mnemonic, operands);
  };
}

/**
 * A number, half of its last place (or a bit more, or less) and a simple factor: sums of the first two, products with
 * the last and what fused operations make of them lie between two results.
 */
function tiedOperands(random: Random, format: Format): readonly bigint[] {
  const [exponentBits, fractionBits] = format === 's' ? [8, 23] : [11, 52];
  const exponent = random.between(fractionBits + 2, (1 << exponentBits) - 3);
  const pack = (sign: number, biased: number, fraction: bigint): bigint => {
    const bits =
      (((BigInt(sign) << BigInt(exponentBits)) | BigInt(biased)) << BigInt(fractionBits)) | fraction;
    return format === 's' ? bits | 0xffff_ffff_0000_0000n : bits;
  };
  const fraction = random.bits64() & ((1n << BigInt(fractionBits)) - 1n);
  const bias = (1 << (exponentBits - 1)) - 1;
  const number = pack(random.between(0, 1), exponent, fraction);
  const half = pack(random.between(0, 1), exponent - fractionBits - 1, random.oneIn(3) ? 1n : 0n);
  const top = 1n << BigInt(fractionBits - 1);
  const factor = pack(random.between(0, 1), bias, random.pick([0n, top, top | (top >> 1n), top >> 1n]));
  return random.pick([
    [number, half, factor],
    [half, number, factor],
    [number, factor, half],
    [factor, number, half],
  ]);
}

function operationOn(
  random: Random,
  format: Format,
  sources: readonly [FRegister, FRegister, FRegister],
): Operation {
  const [f1, f2, f3] = sources;
  const fd = anyFloat(random);
  const rounding = random.pick(roundings);
  const rd = anyDestination(random);
  switch (random.between(0, 10)) {
    case 0:
    case 1:
      return [`${random.pick(fused)}.${format}`, fd, f1, f2, f3, rounding];
    case 2:
    case 3:
    case 4:
      return [`${random.pick(rounded)}.${format}`, fd, f1, f2, rounding];
    case 5:
      return [`fsqrt.${format}`, fd, f1, rounding];
    case 6:
      return [`${random.pick(exact)}.${format}`, fd, f1, f2];
    case 7:
      return [`${random.pick(compared)}.${format}`, rd, f1, f2];
    case 8:
      return [`fcvt.${random.pick(integers)}.${format}`, rd, f1, rounding];
    case 9:
      return format === 'd' ? ['fcvt.s.d', fd, f1, rounding] : ['fcvt.d.s', fd, f1];
    default: {
      const from = random.pick(integers);
      const rs = random.oneIn(2) ? 't6' : anySource(random);
      const isExact = format === 'd' && from.startsWith('w');
      return [`fcvt.${format}.${from}`, fd, rs, ...(isExact ? [] : [rounding])];
    }
  }
}

function floatMove(random: Random): Fragment {
  const [fd, rd, rs] = [anyFloat(random), anyDestination(random), anySource(random)];
  const forms: readonly Fragment[] = [
    (a) => a.fmvXW(rd, fd),
    (a) => a.fmvXD(rd, fd),
    (a) => a.fmvWX(fd, rs),
    (a) => a.fmvDX(fd, rs),
    (a) => a.fclassS(rd, fd),
    (a) => a.fclassD(rd, fd),
  ];
  return random.pick(forms);
}

/** A fresh operand, so that results do not all end as NaN. */
export function loadFloat(random: Random): Fragment {
  const fd = anyFloat(random);
  const bits = floatBits(random);
  return (a) => {
    a.li('t6', bits);
    a.fmvDX(fd, 't6');
  };
}

/** Reads, sets and swaps the flags and the dynamic rounding mode, invalid modes included. */
export function floatControl(random: Random): Fragment {
  const rd = anyDestination(random);
  const name = random.pick(['fcsr', 'frm', 'fflags'] as const);
  const value = random.oneIn(4) ? random.between(0, 31) : random.between(0, 4);
  const mnemonic = random.pick(['csrrwi', 'csrrsi', 'csrrci'] as const);
  return (a) => a.emit(mnemonic, [rd, name, value]);
}

/** Rounding modes 5 and 6 in the instruction are reserved. */
export function reservedRounding(random: Random): Fragment {
  const mode = random.pick([5, 6]);
  const word = encodeInstruction('fadd.d', [anyFloat(random), anyFloat(random), anyFloat(random), 'rne']);
  return (a) => a.raw((word | (mode << 12)) >>> 0, 4);
}

/** A double, a boxed single, or bits that are neither. */
export function floatBits(random: Random, format: Format = random.pick(['s', 'd'])): bigint {
  const isSingle = format === 's';
  const [exponentBits, fractionBits] = isSingle ? [8, 23] : [11, 52];
  const bias = (1 << (exponentBits - 1)) - 1;
  const special = random.between(0, 15);
  const all = (1 << exponentBits) - 1;
  const fractionAll = (1n << BigInt(fractionBits)) - 1n;
  let exponent = random.between(0, all);
  let fraction = random.bits64() & fractionAll;
  if (special === 0) [exponent, fraction] = [0, 0n];
  else if (special === 1) exponent = 0;
  else if (special === 2) [exponent, fraction] = [all, 0n];
  else if (special === 3) exponent = all;
  else if (special === 4) [exponent, fraction] = [all - 1, fractionAll];
  else if (special === 5) [exponent, fraction] = [random.between(0, 2), random.pick([0n, 1n, fractionAll])];
  // Near 1 and near the bounds of integers: there sums cancel and conversions overflow.
  else if (special <= 8) {
    exponent = bias + random.pick([-1, 0, 1, 2, 22, 30, 31, 52, 62, 63]);
    if (random.oneIn(2)) fraction = random.pick([0n, 1n, fractionAll, 1n << BigInt(fractionBits - 1)]);
  }
  // A few significant bits: sums, products and conversions that lie exactly between two results.
  else if (special <= 11) {
    exponent = bias + random.between(-3, 6);
    fraction = BigInt(random.between(0, 15)) << BigInt(fractionBits - random.pick([1, 2, 3, 4]));
    fraction &= fractionAll;
  }
  // Single bits anywhere, a fraction's length apart: ties of sums, products and narrower formats.
  else if (special <= 14) {
    exponent = bias + random.pick([-1, 0, 1]) + random.pick([0, 0, fractionBits, -fractionBits, 24]);
    fraction =
      (1n << BigInt(random.between(0, fractionBits - 1))) |
      (random.oneIn(2) ? fractionAll ^ (fractionAll >> 2n) : 0n);
    if (!isSingle && random.oneIn(2)) fraction = ((random.bits64() << 29n) | (1n << 28n)) & fractionAll;
  }
  const sign = random.oneIn(2) ? 1n : 0n;
  const bits = (((sign << BigInt(exponentBits)) | BigInt(exponent)) << BigInt(fractionBits)) | fraction;
  if (!isSingle) return bits;
  return random.oneIn(10)
    ? bits | ((random.bits64() << 32n) & 0xffff_ffff_0000_0000n)
    : bits | 0xffff_ffff_0000_0000n;
}
