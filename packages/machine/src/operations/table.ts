/**
 * The one table of operations: what the interpreter's switch, the decoder's choice and the fusing of pairs are
 * generated from, and what a translator and a disassembler will read. Its order gives the numbers.
 * Source: design, "Interpreter".
 */
import { atomicInstructions } from './atomic.ts';
import { bitManipulationInstructions } from './bit-manipulation.ts';
import { controlInstructions } from './control.ts';
import { immediateInstructions } from './immediate.ts';
import { type Instruction, type Operation, operationsOf } from './instruction.ts';
import { memoryInstructions } from './memory.ts';
import { multiplyInstructions } from './multiply.ts';
import { type Pair, pairs } from './pairs.ts';
import { registerInstructions } from './register.ts';
import { specialInstructions, undecoded } from './special.ts';

export interface OperationTable {
  readonly instructions: readonly Instruction[];
  /** The place in this list is the number. */
  readonly operations: readonly Operation[];
  /** Numbered after the operations. */
  readonly pairs: readonly Pair[];
}

const instructions: readonly Instruction[] = [
  undecoded,
  ...specialInstructions,
  ...immediateInstructions,
  ...registerInstructions,
  ...multiplyInstructions,
  ...bitManipulationInstructions,
  ...memoryInstructions,
  ...atomicInstructions,
  ...controlInstructions,
];

export const operationTable: OperationTable = {
  instructions,
  operations: instructions.flatMap(operationsOf),
  pairs,
};
