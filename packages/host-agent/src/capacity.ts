/**
 * How fast this host runs guests, measured at start: a loop of a few instructions in a machine of its own. 1 MHz is a
 * million steps a second (architecture: CPU is a budget).
 */
import { type CoreModules, createDevices, createMachineMemory, Machine } from '@skein/machine';

const memoryMib = 64;
const warmUpSteps = 20_000_000;
const sampleSteps = 20_000_000;
const samples = 3;
const loadAddress = 0x8000_0000;

/** addi a0,a0,1; xor a1,a1,a0; slli a2,a1,3; add a3,a3,a2; j back (RV64I, all four-byte forms). */
const loop = [0x0015_0513, 0x00a5_c5b3, 0x0035_9613, 0x00c6_86b3, 0xff1f_f06f];

/** Million steps a second of one vCPU: the best of a few samples, for the others were disturbed. */
export function measureCpuMhz(core: CoreModules): number {
  const machine = new Machine({
    core,
    memory: createMachineMemory(core, memoryMib),
    memoryMib,
    devices: createDevices({ nics: [] }),
    emit: () => {},
  });
  for (const [index, word] of loop.entries()) machine.guestMemory.write32(loadAddress + index * 4, word);
  machine.startFirmware();
  runSlices(machine, warmUpSteps);
  let best = 0;
  for (let sample = 0; sample < samples; sample++) {
    const startedNs = process.hrtime.bigint();
    runSlices(machine, sampleSteps);
    const elapsedUs = Number(process.hrtime.bigint() - startedNs) / 1000;
    best = Math.max(best, sampleSteps / elapsedUs);
  }
  return Math.max(10, Math.round(best));
}

/** As a guest's vCPU does. */
function runSlices(machine: Machine, steps: number): void {
  const slice = 200_000;
  for (let done = 0; done < steps; done += slice) machine.run(slice);
}
