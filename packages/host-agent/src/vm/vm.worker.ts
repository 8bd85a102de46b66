/** Entry of a VM worker: waits to be assigned a VM, builds its machine, and runs it until it ends. */
import { randomBytes } from 'node:crypto';
import { parentPort } from 'node:worker_threads';
import {
  bootMachine,
  createDevices,
  dirtyConsumers,
  loadTemplate,
  Machine,
  MachineMemory,
} from '@skein/machine';
import { invariant } from '@skein/shared';
import type { GuestClock } from '../core/guest-clock.ts';
import { VmControlBlock } from './control-block.ts';
import { Introduction } from './introduction.ts';
import { arrivalMachine, rehearseArrival, rehearseRun } from './rehearsal.ts';
import { vmDevices } from './vm-board.ts';
import type { VmAssignment, VmEvent, VmOrigin, VmRehearsal } from './vm-channel.ts';
import { VmLoop } from './vm-loop.ts';
import { VmOutputs } from './vm-outputs.ts';

const rehearsals = 30;
let rehearsed = 0;

function main(assignment: VmAssignment): void {
  const { port, nics, origin } = assignment;
  const tell = (event: VmEvent): void => port.postMessage(event);
  let loop: VmLoop | null = null;
  try {
    const outputs = new VmOutputs({ port, nics });
    const machine = new Machine({
      core: assignment.core,
      memory: assignment.memory,
      memoryMib: assignment.memoryMib,
      devices: createDevices(
        vmDevices({ nics, rngSeed: randomBytes(32), rtcEpochSeconds: Math.floor(Date.now() / 1000) }),
      ),
      emit: outputs.emit,
      awaitPage: (page) => loop?.awaitPage(page),
    });
    if (prepare(machine, origin, tell)) {
      loop = new VmLoop({
        machine,
        memory: new MachineMemory(assignment.core, assignment.memory, assignment.memoryMib),
        control: new VmControlBlock(assignment.control),
        outputs,
        port,
        clock: startClock(machine, origin),
        migrationConsumers: dirtyConsumers.migration,
        introduction: introductionOf(machine, origin, tell),
      });
      loop.run();
      outputs.flush();
    }
  } catch (error) {
    tell({
      type: 'failed',
      message: error instanceof Error ? (error.stack ?? error.message) : String(error),
    });
  }
  tell({ type: 'ended' });
  port.close();
}

/** Brings the machine to where its guest goes on from; false if there is no such machine. */
function prepare(machine: Machine, origin: VmOrigin, tell: (event: VmEvent) => void): boolean {
  switch (origin.kind) {
    case 'incoming':
      for (; rehearsed < rehearsals; rehearsed++) rehearseArrival(machine);
      machine.memory.reserveCode();
      return true;
    case 'boot': {
      const { kernel, initrd, bootArguments, randomSeed } = origin;
      bootMachine(machine, { kernel, initrd, bootArguments, rngSeed: randomSeed });
      return true;
    }
    case 'clone':
      try {
        loadTemplate(machine, origin.templatePath);
      } catch (error) {
        tell({ type: 'template-refused', message: error instanceof Error ? error.message : String(error) });
        return false;
      }
      machine.setWallClock(BigInt(Date.now()) * 1_000_000n);
      return true;
  }
}

/** A VM that comes from another host has no clock before it is activated; a clone goes on where its template was. */
function startClock(machine: Machine, origin: VmOrigin): GuestClock | null {
  if (origin.kind === 'incoming') return null;
  return { guestTicks: machine.guestTimeTicks(), hostNs: process.hrtime.bigint() };
}

function introductionOf(
  machine: Machine,
  origin: VmOrigin,
  tell: (event: VmEvent) => void,
): Introduction | null {
  if (origin.kind === 'incoming') return null;
  const { identity } = origin;
  const template = origin.kind === 'boot' ? origin.template : null;
  if (identity === null && template === null) return null;
  return new Introduction({ machine, identity, template, tell });
}

/** In steps, between which an assignment is heard. */
function rehearse({ core }: VmRehearsal): void {
  const machine = arrivalMachine(core);
  const step = (): void => {
    rehearseArrival(machine);
    rehearsed += 1;
    setImmediate(rehearsed < rehearsals ? step : () => rehearseRun(core));
  };
  setImmediate(step);
}

invariant(parentPort !== null, 'vm.worker runs as a worker thread');
parentPort.on('message', (message: VmRehearsal | VmAssignment) => {
  if (message.type === 'rehearse') {
    rehearse(message);
    return;
  }
  main(message);
  // The thread ends with its VM: its heap and the machine's memory go with it.
  process.exit(0);
});
