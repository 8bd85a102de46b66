/**
 * Pairs of instructions that often follow each other, done in one go to save a dispatch. A pair is the effects of two
 * operations one after the other, so what it does needs no words of its own. Two steps, or one if only one is left.
 * The list is what `pnpm bench pairs` printed: exact counts of Debian's kernel and of Debian's programs at ordinary work,
 * each program counting alike; none of them is what `bench machine` measures.
 * Tried and no better: handing the first one's result to the second in a local (processors forward stores at no cost).
 * Source: design, "Interpreter" (the same + up to 60 fused pairs).
 */

/** First and second operation, and how many percent of all instructions ended such a pair. */
type CountedPair = readonly [first: string, second: string, percent: number];

/** As many as there are numbers left in a byte. */
const counted: readonly CountedPair[] = [
  ['LD2', 'LD2', 3.11],
  ['SD2', 'SD2', 2.76],
  ['LBU4', 'LBU4', 1.32],
  ['SD4', 'SD4', 1.25],
  ['MV2', 'MV2', 1.2],
  ['LD2', 'ADDI2', 0.93],
  ['ADDI2', 'SD2', 0.89],
  ['LBU4', 'ADDI2', 0.84],
  ['ADDI2', 'JR2', 0.82],
  ['SLLI2', 'ADD2', 0.77],
  ['ADDI2', 'ADDI2', 0.74],
  ['AUIPC4', 'LD4', 0.73],
  ['LD4', 'LD4', 0.72],
  ['MV2', 'JAL_FAR4', 0.51],
  ['ADD2', 'LBU4', 0.51],
  ['LI2', 'LI2', 0.47],
  ['SLLI4', 'ADD2', 0.46],
  ['LD2', 'MV2', 0.44],
  ['SD2', 'ADDI2', 0.42],
  ['SD2', 'MV2', 0.42],
  ['ADD2', 'ADD2', 0.42],
  ['AUIPC4', 'ADDI4', 0.39],
  ['SLLI4', 'SRLI4', 0.39],
  ['ADD2', 'LD2', 0.37],
  ['ADD4', 'LBU4', 0.37],
  ['ANDI4', 'BNEZ_LOCAL2', 0.36],
  ['MV2', 'LD2', 0.35],
  ['AUIPC4', 'JALR4', 0.35],
  ['ADD4', 'ADD4', 0.32],
  ['ADD2', 'LW2', 0.32],
  ['LBU4', 'BNE_LOCAL4', 0.31],
  ['ADDI2', 'MULW4', 0.31],
  ['ADDI2', 'BEQ_LOCAL4', 0.3],
  ['SRL4', 'ANDI4', 0.3],
  ['ADDI2', 'BNEZ_LOCAL2', 0.3],
  ['ADD2', 'LHU4', 0.29],
  ['ADDW4', 'BGEU_LOCAL4', 0.27],
  ['MULW4', 'ADDW4', 0.27],
  ['ADDI2', 'BNE_LOCAL4', 0.26],
  ['SD2', 'LI2', 0.26],
  ['LD4', 'JALR4', 0.25],
  ['LI4', 'BEQ_LOCAL4', 0.25],
  ['MV2', 'BGEU_LOCAL4', 0.25],
  ['SB4', 'SB4', 0.24],
  ['AUIPC4', 'NOP4', 0.24],
  ['LD4', 'SD2', 0.23],
  ['SLLI4', 'SRLI2', 0.23],
  ['LD2', 'LD4', 0.23],
  ['LI2', 'BEQ_LOCAL4', 0.23],
  ['LI2', 'MV2', 0.23],
  ['ADD2', 'LW4', 0.22],
  ['LBU4', 'SLLI2', 0.22],
  ['ADDI4', 'ADD2', 0.22],
  ['MV2', 'AUIPC4', 0.22],
  ['ADDIW2', 'SW4', 0.22],
  ['LD2', 'SD2', 0.21],
  ['ADD2', 'LD4', 0.2],
  ['LI2', 'BNE_LOCAL4', 0.2],
  ['SD2', 'LD2', 0.2],
  ['MV2', 'BEQZ_LOCAL2', 0.19],
  ['MV2', 'SD2', 0.19],
  ['SRLI4', 'ADD2', 0.19],
  ['LW4', 'ADDIW2', 0.19],
  ['ADDI2', 'LI2', 0.19],
  ['LD4', 'MV2', 0.19],
  ['SRLI2', 'ADD2', 0.19],
  ['LD4', 'LD2', 0.19],
  ['LD2', 'LI2', 0.19],
  ['ADDI4', 'MV2', 0.18],
  ['MV2', 'ADDI2', 0.18],
  ['SD2', 'LBU4', 0.18],
  ['ADDIW2', 'BNE_LOCAL4', 0.18],
  ['LI4', 'ADDI4', 0.18],
  ['OR4', 'SLLI2', 0.18],
  ['LI2', 'SD2', 0.18],
  ['SLLIW4', 'SRAIW4', 0.18],
];

export interface Pair {
  readonly name: string;
  readonly first: string;
  readonly second: string;
  /** Why it is here. */
  readonly provenance: string;
}

export const pairs: readonly Pair[] = counted.map(([first, second, percent]) => ({
  name: `${first}_${second}`,
  first,
  second,
  provenance: `${percent} % of the instructions of Debian's kernel and programs`,
}));
