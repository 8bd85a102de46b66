/** Entry of a VM worker: waits to be assigned a VM, builds its machine, and runs it until it ends. */
import { parentPort } from 'node:worker_threads';
import {
  bootMachine,
  createDevices,
  dirtyConsumers,
  hashBytes,
  Machine,
  MachineMemory,
} from '@skein/machine';
import { invariant } from '@skein/shared';
import type { GuestClock } from '../core/guest-clock.ts';
import { VmControlBlock } from './control-block.ts';
import type { VmAssignment, VmEvent } from './vm-channel.ts';
import { VmLoop } from './vm-loop.ts';
import { VmOutputs } from './vm-outputs.ts';

const rehearsals = 30;

function main(assignment: VmAssignment): void {
  const { port } = assignment;
  const tell = (event: VmEvent): void => port.postMessage(event);
  try {
    const outputs = new VmOutputs({ port, nics: assignment.nics });
    const machine = new Machine({
      core: assignment.core,
      memory: assignment.memory,
      memoryMib: assignment.memoryMib,
      devices: createDevices({ nics: assignment.nics.map(({ mac }) => ({ mac })) }),
      emit: outputs.emit,
    });
    const loop = new VmLoop({
      machine,
      memory: new MachineMemory(assignment.core, assignment.memory, assignment.memoryMib),
      control: new VmControlBlock(assignment.control),
      outputs,
      port,
      clock: startClock(machine, assignment),
      migrationConsumers: dirtyConsumers.migration,
    });
    loop.run();
    outputs.flush();
  } catch (error) {
    tell({
      type: 'failed',
      message: error instanceof Error ? (error.stack ?? error.message) : String(error),
    });
  }
  tell({ type: 'ended' });
  port.close();
}

/** Boots, unless the VM comes from another host: then it has no clock before it is activated. */
function startClock(machine: Machine, assignment: VmAssignment): GuestClock | null {
  if (assignment.origin.kind === 'incoming') {
    rehearseArrival(machine);
    return null;
  }
  const { kernel, initrd, bootArguments, randomSeed } = assignment.origin;
  bootMachine(machine, { kernel, initrd, bootArguments, rngSeed: randomSeed });
  return { guestTicks: 0n, hostNs: process.hrtime.bigint() };
}

/** While pages arrive there is time: what runs for the first time runs slowly, and the last step is downtime. */
function rehearseArrival(machine: Machine): void {
  for (let round = 0; round < rehearsals; round++) {
    machine.restoreState(machine.saveState());
    hashBytes(machine.saveState());
  }
}

invariant(parentPort !== null, 'vm.worker runs as a worker thread');
parentPort.once('message', (assignment: VmAssignment) => {
  main(assignment);
  // The thread ends with its VM: its heap and the machine's memory go with it.
  process.exit(0);
});
