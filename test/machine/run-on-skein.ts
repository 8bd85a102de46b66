/** Runs a batch on Skein's machine, in this process. */
import { type CoreModules, createDevices, createMachineMemory, loadCore, Machine } from '@skein/machine';
import { type Batch, layOutBatch, type Outcome, readOutcomes } from './batch.ts';
import { ramMib } from './memory-map.ts';
import { NoEndError } from './no-end-error.ts';
import type { TestProgram } from './test-program.ts';

/** A batch takes some hundred thousand; one that never ends is noticed before long. */
const stepsMax = 50_000_000;
/** A program takes some thousand; its minimisation may make a longer one, but not one that QEMU's deadline notices. */
const aloneStepsMax = 1_000_000;

/**
 * @param sliceSteps length of a slice; whatever it is, the outcome must not change
 * @throws NoEndError when the batch does not come to its end
 */
export async function runOnSkein(batch: Batch, sliceSteps = 100_000): Promise<readonly Outcome[]> {
  return runOnCore(await loadCore(), batch, sliceSteps);
}

/** The same, without ever yielding. */
export function runOnCore(core: CoreModules, batch: Batch, sliceSteps = 100_000): readonly Outcome[] {
  const machine = startMachine(core, batch);
  while (!machine.isHalted) {
    const { reason } = machine.run(sliceSteps);
    const where = `at 0x${machine.programCounter.toString(16)}`;
    if (reason === 'idle') throw new NoEndError(['skein'], `Skein's machine waits for ever ${where}`);
    if (machine.steps > BigInt(stepsMax)) {
      throw new NoEndError(['skein'], `Skein's machine has not ended after ${stepsMax} steps, ${where}`);
    }
  }
  return readOutcomes(batch.programs.length, (address, length) =>
    machine.guestMemory.readable(address, length).slice(),
  );
}

/** Whether the program, made for slot 0, comes to its end before long. */
export async function endsOnSkein(program: TestProgram): Promise<boolean> {
  const machine = startMachine(await loadCore(), layOutBatch([program]));
  machine.run(aloneStepsMax);
  return machine.isHalted;
}

function startMachine(core: CoreModules, batch: Batch): Machine {
  const memory = createMachineMemory(core, ramMib);
  const machine = new Machine({
    core,
    memory,
    memoryMib: ramMib,
    devices: createDevices({ nics: [] }),
    emit: () => {},
  });
  for (const { address, bytes } of batch.parts) machine.guestMemory.write(address, bytes);
  machine.startFirmware();
  return machine;
}
