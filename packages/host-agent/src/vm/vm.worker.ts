/**
 * Entry of a VM worker: waits to be assigned a VM, builds its machine, and runs it until it ends. Then it is there for another
 * one, whose first milliseconds are run by code that is compiled already.
 */
import { randomBytes } from 'node:crypto';
import { parentPort } from 'node:worker_threads';
import {
  bootMachine,
  type CoreModules,
  createDevices,
  dirtyConsumers,
  firstTouches,
  loadTemplate,
  Machine,
  MachineMemory,
  touchFirst,
} from '@skein/machine';
import { invariant } from '@skein/shared';
import { collectGarbage } from '../collect-garbage.ts';
import type { GuestClock } from '../core/guest-clock.ts';
import { dropSpecimens, keepSpecimens } from '../specimens.ts';
import { VmControlBlock } from './control-block.ts';
import { Introduction } from './introduction.ts';
import { arrivalMachine, rehearseArrival, rehearsedVm, rehearseRun } from './rehearsal.ts';
import { vmDevices } from './vm-board.ts';
import type { VmAssignment, VmEvent, VmOrigin, VmRehearsal, VmWorkerMessage } from './vm-channel.ts';
import { VmLoop } from './vm-loop.ts';
import { VmOutputs } from './vm-outputs.ts';

const rehearsals = 30;
let rehearsed = 0;
let hasRehearsedRun = false;
/** VMs that were assigned to this worker. */
let assigned = 0;

/** True if the VM came to its end in good order. */
function serve(assignment: VmAssignment): boolean {
  assigned += 1;
  const { port, nics, origin } = assignment;
  const tell = (event: VmEvent): void => port.postMessage(event);
  let loop: VmLoop | null = null;
  let hasFailed = false;
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
    if (prepare(machine, assignment, tell)) {
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
      // It is made of the same itself; another machine beside each VM would be as much address space again.
      dropSpecimens();
      loop.run();
      outputs.flush();
    }
  } catch (error) {
    hasFailed = true;
    tell({
      type: 'failed',
      message: error instanceof Error ? (error.stack ?? error.message) : String(error),
    });
  }
  tell({ type: 'ended' });
  port.close();
  return !hasFailed;
}

/** Brings the machine to where its guest goes on from; false if there is no such machine. */
function prepare(
  machine: Machine,
  { core, memory, origin }: VmAssignment,
  tell: (event: VmEvent) => void,
): boolean {
  switch (origin.kind) {
    case 'incoming':
      for (; rehearsed < rehearsals; rehearsed++) rehearseArrival(machine);
      // What the spare memory's first touches have left, if it was one.
      touchFirst(core, memory);
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
function rehearse({ core, memory }: VmRehearsal): void {
  const steps = rehearsalSteps(core, memory);
  const assignedBefore = assigned;
  const step = (): void => {
    if (assigned === assignedBefore && steps.next().done !== true) setImmediate(step);
  };
  setImmediate(step);
}

/** What this worker has not done yet. */
function* rehearsalSteps(core: CoreModules, memory: WebAssembly.Memory | null): Generator<void, void, void> {
  if (memory !== null) yield* firstTouches(core, memory);
  if (rehearsed < rehearsals) {
    const machine = arrivalMachine(core);
    for (; rehearsed < rehearsals; rehearsed++) {
      yield;
      rehearseArrival(machine);
    }
    yield;
  }
  if (!hasRehearsedRun) {
    const vm = rehearsedVm(core);
    rehearseRun(vm);
    keepSpecimens(vm);
  }
  hasRehearsedRun = true;
}

/** The VM's memory goes with what referred to it. */
function becomeSpare(core: CoreModules): void {
  try {
    keepSpecimens(rehearsedVm(core));
  } catch {
    // No address space for a machine that nobody needs: the next VM begins with colder code.
  }
  collectGarbage();
  const spare: VmWorkerMessage = { type: 'spare' };
  parentPort?.postMessage(spare);
}

invariant(parentPort !== null, 'vm.worker runs as a worker thread');
parentPort.on('message', (message: VmRehearsal | VmAssignment) => {
  if (message.type === 'rehearse') {
    rehearse(message);
    return;
  }
  // With what failed its thread goes as well: nobody knows what state it is in.
  if (!serve(message)) process.exit(0);
  setImmediate(becomeSpare, message.core);
});
