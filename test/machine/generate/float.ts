/** Random fragments of single and double precision: all operations, all rounding modes, special operands. */
import { encodeInstruction, type Mnemonic, type RoundingMode } from '@skein/guests';
import type { Random } from '../random.ts';
import type { Fragment } from '../test-program.ts';
import { anyDestination, anyFloat, anySource } from './register-choice.ts';

const roundings: readonly RoundingMode[] = ['rne', 'rtz', 'rdn', 'rup', 'rmm', 'dyn', 'dyn', 'dyn'];
const fused = ['fmadd', 'fmsub', 'fnmsub', 'fnmadd'] as const;
const rounded = ['fadd', 'fsub', 'fmul', 'fdiv'] as const;
const exact = ['fsgnj', 'fsgnjn', 'fsgnjx', 'fmin', 'fmax'] as const;
const compared = ['feq', 'flt', 'fle'] as const;
const integers = ['w', 'wu', 'l', 'lu'] as const;

export function floatOperation(random: Random): Fragment {
  const format = random.pick(['s', 'd'] as const);
  const [fd, f1, f2, f3] = [anyFloat(random), anyFloat(random), anyFloat(random), anyFloat(random)];
  const rounding = random.pick(roundings);
  const rd = anyDestination(random);
  const rs = anySource(random);
  const emit = (mnemonic: Mnemonic, operands: readonly (string | number)[]): Fragment => {
    return (a) => a.emit(mnemonic, operands);
  };
  switch (random.between(0, 11)) {
    case 0:
    case 1:
      return emit(`${random.pick(fused)}.${format}`, [fd, f1, f2, f3, rounding]);
    case 2:
    case 3:
    case 4:
      return emit(`${random.pick(rounded)}.${format}`, [fd, f1, f2, rounding]);
    case 5:
      return emit(`fsqrt.${format}`, [fd, f1, rounding]);
    case 6:
      return emit(`${random.pick(exact)}.${format}`, [fd, f1, f2]);
    case 7:
      return emit(`${random.pick(compared)}.${format}`, [rd, f1, f2]);
    case 8:
      return emit(`fcvt.${random.pick(integers)}.${format}`, [rd, f1, rounding]);
    case 9:
      return random.oneIn(2) ? emit('fcvt.s.d', [fd, f1, rounding]) : emit('fcvt.d.s', [fd, f1]);
    case 10: {
      const from = random.pick(integers);
      const isExact = format === 'd' && from.startsWith('w');
      return emit(`fcvt.${format}.${from}`, isExact ? [fd, rs] : [fd, rs, rounding]);
    }
    default:
      return floatMove(random);
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
export function floatBits(random: Random): bigint {
  const isSingle = random.oneIn(2);
  const [exponentBits, fractionBits] = isSingle ? [8, 23] : [11, 52];
  const bias = (1 << (exponentBits - 1)) - 1;
  const special = random.between(0, 12);
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
  const sign = random.oneIn(2) ? 1n : 0n;
  const bits = (((sign << BigInt(exponentBits)) | BigInt(exponent)) << BigInt(fractionBits)) | fraction;
  if (!isSingle) return bits;
  return random.oneIn(10)
    ? bits | ((random.bits64() << 32n) & 0xffff_ffff_0000_0000n)
    : bits | 0xffff_ffff_0000_0000n;
}
