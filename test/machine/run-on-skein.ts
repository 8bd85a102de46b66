/** Runs a batch on Skein's machine, in this process. */
import { createDevices, createMachineMemory, loadCore, Machine } from '@skein/machine';
import { type Batch, type Outcome, readOutcomes } from './batch.ts';
import { ramMib } from './memory-map.ts';

/** A batch takes some hundred thousand; one that never ends is noticed before long. */
const stepsMax = 50_000_000;

/**
 * @param sliceSteps length of a slice; whatever it is, the outcome must not change
 * @throws Error when the batch does not come to its end
 */
export async function runOnSkein(batch: Batch, sliceSteps = 100_000): Promise<readonly Outcome[]> {
  const core = await loadCore();
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
  while (!machine.isHalted) {
    const { reason } = machine.run(sliceSteps);
    if (reason === 'idle')
      throw new Error(`the machine waits for ever at 0x${machine.programCounter.toString(16)}`);
    if (machine.steps > BigInt(stepsMax)) {
      throw new Error(`no end after ${stepsMax} steps, at 0x${machine.programCounter.toString(16)}`);
    }
  }
  return readOutcomes(batch.programs.length, (address, length) =>
    machine.guestMemory.readable(address, length).slice(),
  );
}
