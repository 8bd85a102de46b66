/** Loads what a boot plan says into a machine and starts its hart: what firmware and loader would do. */
import { type BootOptions, planBoot } from './boot.ts';
import type { Machine } from './machine.ts';

/**
 * The machine's RAM must be fresh: segments are written, nothing is cleared.
 * @throws MachineError machine.image-format, machine.image-too-large
 */
export function bootMachine(machine: Machine, options: Omit<BootOptions, 'memoryMib'>): void {
  const plan = planBoot({ ...options, memoryMib: machine.memory.pages / 256 });
  for (const segment of plan.segments) machine.guestMemory.write(segment.address, segment.bytes);
  const deviceTreeAddress = BigInt(plan.deviceTreeAddress);
  if (plan.mode === 'supervisor') machine.startSupervisor(BigInt(plan.entry), deviceTreeAddress);
  else {
    machine.startFirmware({
      entry: BigInt(plan.entry),
      deviceTreeAddress,
      dynamicInformationAddress: BigInt(plan.dynamicInformationAddress ?? 0),
    });
  }
}
