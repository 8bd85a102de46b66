/**
 * Pairs of instructions that often follow each other, done in one go to save a dispatch. A pair is the effects of two
 * operations one after the other, so what it does needs no words of its own. Two steps, or one if only one is left.
 * Shares were sampled: 60 times 15,000 single steps, 7 million steps apart.
 * Source: design, "Interpreter" (the same + up to 60 fused pairs).
 */

/** First and second operation, and how many percent of all instructions ended such a pair. */
type CountedPair = readonly [first: string, second: string, percent: number];

/** Counted while Debian's stock kernel starts. */
const kernelPairs: readonly CountedPair[] = [
  ['ADDW4', 'ADDW4', 6.25],
  ['SLLIW4', 'ADDW4', 4.12],
  ['SRLIW4', 'SLLIW4', 3.99],
  ['SD4', 'SD4', 2.82],
  ['ADDW4', 'XOR4', 2.81],
  ['XOR4', 'SRLIW4', 2.58],
  ['LD2', 'LD2', 1.54],
  ['SD2', 'SD2', 1.51],
  ['ADDW4', 'SRLIW4', 1.46],
  ['LBU4', 'ADDI4', 1.08],
  ['LBU4', 'ADDI2', 0.94],
  ['XOR4', 'ADDW4', 0.94],
  ['LD4', 'LD4', 0.82],
  ['XOR4', 'XOR4', 0.82],
  ['ADDI4', 'ADD4', 0.8],
  ['ADD4', 'LBU4', 0.79],
  ['AUIPC4', 'ADDI4', 0.52],
  ['ADDI2', 'BLTU_LOCAL4', 0.75],
  ['SB4', 'SB4', 0.74],
  ['ADDW4', 'LD4', 0.69],
  ['SLLIW4', 'SLLIW4', 0.71],
  ['SRLIW4', 'SRLIW4', 0.68],
  ['SD2', 'ADDI2', 0.63],
  ['ADDI2', 'SD2', 0.62],
  ['ADDI2', 'ADDI2', 0.58],
  ['ANDI2', 'BNEZ_LOCAL2', 0.54],
  ['ADDI2', 'BNE_LOCAL4', 0.53],
  ['LBU4', 'BNE_LOCAL4', 0.52],
  ['LI4', 'BNE_LOCAL4', 0.52],
  ['ADDI2', 'LBU4', 0.52],
  ['ADDI2', 'BEQ_LOCAL4', 0.48],
  ['LW4', 'BGEU_LOCAL4', 0.44],
  ['LBU4', 'BEQZ_LOCAL2', 0.44],
  ['ADDI4', 'SLTIU4', 0.71],
  ['ADDI4', 'SLTU4', 0.45],
  ['ADD2', 'LD2', 0.19],
  ['LI2', 'BGEU_LOCAL4', 0.43],
];

/** Counted in user mode: crc, sort, matrix, list, sha256, memcpy, divide, a byte-code VM, atomics. */
const mixPairs: readonly CountedPair[] = [
  ['MV2', 'MV2', 0.71],
  ['LW2', 'ADDI2', 0.92],
  ['LD2', 'ADDI2', 0.49],
  ['MUL4', 'MUL4', 2.17],
  ['ADD2', 'SLTU4', 2.14],
  ['ADD2', 'ADD2', 1.85],
  ['ADD2', 'BNE_LOCAL4', 1.73],
  ['SLLI4', 'SRLI4', 1.64],
  ['SLTU4', 'ADD2', 1.62],
  ['SRLI4', 'ADD2', 1.6],
  ['SLLI4', 'ADD2', 1.58],
  ['LD4', 'ADD2', 1.47],
  ['ADD4', 'LD4', 1.46],
  ['SLLI2', 'ADD4', 1.36],
  ['SUB4', 'SLLI2', 1.35],
  ['SD4', 'ADD2', 1.29],
  ['ADD2', 'ADDIW2', 1.28],
  ['SLLI4', 'SRLI2', 1.13],
  ['ADDIW2', 'SLLI4', 1.13],
  ['MUL4', 'ADD2', 1.11],
  ['ADD2', 'BGEU_LOCAL4', 1.1],
  ['SLLI2', 'ADD2', 0.77],
  ['ADD2', 'LW2', 0.77],
  ['ADDI2', 'ADDI4', 0.77],
  ['ADDW4', 'BNE_LOCAL4', 0.77],
  ['ADDI2', 'BLT_LOCAL4', 0.65],
  ['ADD2', 'LD4', 0.56],
  ['ADD2', 'SD4', 1.1],
  ['MULW4', 'ADDW4', 0.77],
  ['ADDIW2', 'BNE_LOCAL4', 0.39],
];

/** Not among the 90 most frequent of either count, but what compilers write for loops and conditions in other code. */
const idioms: readonly (readonly [first: string, second: string])[] = [
  ['ANDI2', 'BEQZ_LOCAL2'],
  ['SLLI2', 'SRLI2'],
  ['LD2', 'BEQZ_LOCAL2'],
  ['LW2', 'BEQZ_LOCAL2'],
  ['ADDI2', 'BNEZ_LOCAL2'],
  ['ADDI4', 'BNE_LOCAL4'],
  ['ADD2', 'LBU4'],
];

export interface Pair {
  readonly name: string;
  readonly first: string;
  readonly second: string;
  /** Why it is here. */
  readonly provenance: string;
}

function pairOf(first: string, second: string, provenance: string): Pair {
  return { name: `${first}_${second}`, first, second, provenance };
}

export const pairs: readonly Pair[] = [
  ...kernelPairs.map(([first, second, percent]) => pairOf(first, second, `${percent} % of a kernel's start`)),
  ...mixPairs.map(([first, second, percent]) => pairOf(first, second, `${percent} % of mixed user code`)),
  ...idioms.map(([first, second]) => pairOf(first, second, 'an idiom')),
];
