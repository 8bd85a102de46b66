/** Test tool: instructions of two operands, one after the other on a real machine. */
import fc from 'fast-check';
import { createMachineMemory, loadCore } from '../core-module.ts';
import { createDevices } from '../devices/create-devices.ts';
import { Machine } from '../machine.ts';
import { load, store } from './encode.ts';

const ramBase = 0x8000_0000;
const dataOffset = 0x1000;
/** Registers: where the operands and results lie, the two operands, the result. */
const [base, left, right, result] = [8, 5, 6, 7];

export const bits64: fc.Arbitrary<bigint> = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });

export interface OperandRun {
  readonly machine: Machine;
  /** Runs these words from the start of RAM, in M mode. */
  execute(words: readonly number[]): void;
  /** Each word once on the same two operands, x5 and x6; what each left in x7. */
  resultsOf(words: readonly number[], a: bigint, b: bigint): readonly bigint[];
}

export async function createOperandRun(): Promise<OperandRun> {
  const core = await loadCore();
  const machine = new Machine({
    core,
    memory: createMachineMemory(core, 64),
    memoryMib: 64,
    devices: createDevices({ nics: [] }),
    emit: () => {},
  });
  const execute = (words: readonly number[]): void => {
    machine.guestMemory.write(ramBase, new Uint8Array(Uint32Array.from(words).buffer));
    machine.startFirmware();
    machine.run(words.length);
  };
  const resultsOf = (words: readonly number[], a: bigint, b: bigint): readonly bigint[] => {
    machine.guestMemory.write(ramBase + dataOffset, new Uint8Array(BigUint64Array.of(a, b).buffer));
    const auipc = ((dataOffset >> 12) << 12) | (base << 7) | 0x17;
    execute([
      auipc,
      load(3, left, base, 0),
      load(3, right, base, 8),
      ...words.flatMap((word, index) => [word, store(3, result, base, 16 + index * 8)]),
    ]);
    const read = machine.guestMemory.readable(ramBase + dataOffset + 16, words.length * 8).slice();
    return [...new BigUint64Array(read.buffer)];
  };
  return { machine, execute, resultsOf };
}
