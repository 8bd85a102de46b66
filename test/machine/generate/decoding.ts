/**
 * Random fragments that try the decoder: words of every major opcode with function bits that mean something, mean
 * nothing, or lie next to those that do, and compressed words of all quadrants. Registers are such that nothing is
 * loaded, stored or jumped to. Source: RISC-V ISA manual, "RV32/64G Instruction Set Listings".
 */
import type { Random } from '../random.ts';
import type { Fragment } from '../test-program.ts';
import { anyDestination, anySource, numberOf } from './register-choice.ts';

/** Of the base, M, Zba, Zbb and Zbs, with pack's and clmul's, which are not there. */
const knownFunct7 = [0x00, 0x01, 0x04, 0x05, 0x10, 0x14, 0x20, 0x24, 0x30, 0x34];
const knownFunct6 = [0x00, 0x02, 0x0a, 0x10, 0x12, 0x18, 0x1a];
const knownFunct12 = [0x600, 0x602, 0x603, 0x604, 0x605, 0x287, 0x6b8, 0x698, 0x687, 0x080];
/** OP-FP's operations, less their format. */
const knownFloatFunct5 = [0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x08, 0x0b, 0x14, 0x18, 0x1a, 0x1c, 0x1e];

export function anyWord(random: Random): Fragment {
  const fields = { rd: numberOf(anyDestination(random)), rs1: numberOf(anySource(random)) };
  switch (random.between(0, 6)) {
    case 0:
    case 1:
      return word(0x33 | random.pick([0, 8]), {
        ...fields,
        funct3: random.between(0, 7),
        high: (anyOf(random, knownFunct7, 7) << 5) | random.between(0, 31),
      });
    case 2:
    case 3:
      return word(0x13 | random.pick([0, 8]), {
        ...fields,
        funct3: random.pick([1, 5, 1, 5, 0, 2, 3, 4, 6, 7]),
        high: unaryOrShift(random),
      });
    case 4:
      return floatWord(random, fields.rd);
    case 5:
      return atomicWord(random, fields.rd);
    default:
      return refusedWord(random, fields);
  }
}

interface Fields {
  readonly rd: number;
  readonly rs1: number;
  readonly funct3: number;
  /** Bits 31:20. */
  readonly high: number;
}

function bitsOf(opcode: number, { rd, rs1, funct3, high }: Fields): number {
  return ((high << 20) | (rs1 << 15) | (funct3 << 12) | (rd << 7) | opcode) >>> 0;
}

function word(opcode: number, fields: Fields): Fragment {
  const bits = bitsOf(opcode, fields);
  return (a) => a.raw(bits, 4);
}

/** Without CTZ and CTZW, of which QEMU 7.2 has the latter wrong: integer.ts has them. */
function unaryOrShift(random: Random): number {
  const high = random.oneIn(3)
    ? anyOf(random, knownFunct12, 12)
    : (anyOf(random, knownFunct6, 6) << 6) | random.between(0, 63);
  return high === 0x601 ? 0x600 : high;
}

/** One that is known in most cases. */
function anyOf(random: Random, known: readonly number[], width: number): number {
  return random.oneIn(4) ? random.between(0, 2 ** width - 1) : random.pick(known);
}

/** All formats, all rounding modes, and the places of rs2 that choose a conversion. */
function floatWord(random: Random, rd: number): Fragment {
  const isFused = random.oneIn(4);
  const rs2 = random.oneIn(2) ? random.between(0, 4) : random.between(0, 31);
  const format = random.oneIn(4) ? random.between(2, 3) : random.between(0, 1);
  const funct5 = isFused ? random.between(0, 31) : anyOf(random, knownFloatFunct5, 5);
  return word(isFused ? random.pick([0x43, 0x47, 0x4b, 0x4f]) : 0x53, {
    rd,
    rs1: random.between(0, 31),
    funct3: random.between(0, 7),
    high: (funct5 << 7) | (format << 5) | rs2,
  });
}

/** On words of the program's data. */
function atomicWord(random: Random, rd: number): Fragment {
  const funct5 = random.oneIn(2)
    ? random.between(0, 31)
    : random.pick([0, 1, 2, 3, 4, 8, 12, 16, 20, 24, 28]);
  const bits = bitsOf(0x2f, {
    rd,
    rs1: numberOf('t6'),
    funct3: random.oneIn(3) ? random.between(0, 7) : random.between(2, 3),
    high: (funct5 << 7) | (random.between(0, 3) << 5) | random.pick([0, 0, random.between(0, 31)]),
  });
  const at = random.between(-64, 63) * 8;
  return (a) => {
    a.addi('t6', 's0', at);
    a.andi('t6', 't6', -8);
    a.raw(bits, 4);
  };
}

/** Opcodes whose instructions touch memory or the program counter, with functions that none of them has. */
function refusedWord(random: Random, fields: { readonly rd: number; readonly rs1: number }): Fragment {
  const high = random.between(0, 4095);
  const [opcode, functions] = random.pick<readonly [number, readonly number[]]>([
    [0x03, [7]],
    [0x07, [0, 1, 4, 5, 6, 7]],
    [0x23, [4, 5, 6, 7]],
    [0x27, [0, 1, 4, 5, 6, 7]],
    [0x63, [2, 3]],
    [0x67, [1, 2, 3, 4, 5, 6, 7]],
    [0x73, [4]],
    // Fences of all sorts do nothing that a program could see.
    [0x0f, [0, 1, 2, 3, 4, 5, 6, 7]],
  ]);
  return word(opcode, { ...fields, funct3: random.pick(functions), high });
}

/** Hints and reserved encodings among them. */
export function anyShort(random: Random): Fragment {
  const bits = shortBits(random);
  return (a) => a.raw(bits, 2);
}

function shortBits(random: Random): number {
  const rd = numberOf(anyDestination(random));
  const short = random.between(2, 7);
  const low5 = random.between(0, 31);
  const bit12 = random.between(0, 1) << 12;
  const form = (quadrant: number, funct3: number, at7: number, at2: number): number =>
    (funct3 << 13) | bit12 | (at7 << 7) | (at2 << 2) | quadrant;
  const any5 = random.between(0, 31);
  switch (random.between(0, 8)) {
    // C.ADDI4SPN; all zero is reserved.
    case 0:
      return form(0, 0, random.pick([0, any5]), (random.pick([0, low5 >> 3]) << 3) | short);
    case 1:
      return form(0, 4, any5, low5);
    // C.ADDI, C.ADDIW, C.LI, C.LUI: with 0 hints or reserved.
    case 2:
    case 3:
      return form(1, random.between(0, 3), rd, random.pick([0, low5]));
    case 4:
    case 5:
      return form(1, 4, (random.between(0, 3) << 3) | short, low5);
    case 6:
      return form(2, 0, rd, random.pick([0, low5]));
    // C.MV and C.ADD; without rs2 they are jumps, but for x0: reserved, and C.EBREAK.
    case 7:
      return random.oneIn(4) ? form(2, 4, 0, 0) : form(2, 4, rd, random.between(1, 31));
    // C.LWSP and C.LDSP into x0.
    default:
      return form(2, random.pick([2, 3]), 0, low5);
  }
}
