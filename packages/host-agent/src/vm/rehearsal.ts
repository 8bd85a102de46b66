/**
 * What a VM worker does for the first time it does slowly, for none of it is compiled yet: bad in a guest's first
 * milliseconds, and worse in the last step of an arrival. A spare worker does it all once with a machine of its own.
 */
import { randomBytes } from 'node:crypto';
import { MessageChannel } from 'node:worker_threads';
import {
  busyState,
  type CoreModules,
  createDevices,
  createMachineMemory,
  dirtyConsumers,
  Machine,
  MachineMemory,
  usedCodePageBytes,
} from '@skein/machine';
import { VmControlBlock } from './control-block.ts';
import { vmDevices } from './vm-board.ts';
import type { VmEvent } from './vm-channel.ts';
import { VmLoop } from './vm-loop.ts';
import { VmOutputs } from './vm-outputs.ts';

/** The least that a machine has; next to nothing of it is touched. */
const memoryMib = 64;
const ramBase = 0x8000_0000;
const stepsPerMs = 1_000_000;
const withoutDeadline = 2n ** 63n - 1n;

/** In machine mode: 200 lines of twelve characters on the console, 100 microseconds of sleep after each, and power off. */
// biome-ignore format: one instruction a line
const program = Uint32Array.of(
  0x100002b7, // lui t0, 0x10000: the UART
  0x0200c337, // lui t1, 0x200c: mtime is 8 bytes below
  0x02004e37, // lui t3, 0x2004: mtimecmp
  0x0c800e93, // li t4, 200
  0x08000f13, // li t5, MTIE
  0x304f2073, // csrs mie, t5
  0x07400513, // li a0, 't'
  0x00b00593, // li a1, 11
  0x00a28023, // sb a0, 0(t0)
  0xfff58593, // addi a1, a1, -1
  0xfe059ce3, // bnez a1, -8
  0x00a00513, // li a0, '\n'
  0x00a28023, // sb a0, 0(t0)
  0xff833383, // ld t2, -8(t1)
  0x3e838393, // addi t2, t2, 1000: 100 us
  0x007e3023, // sd t2, 0(t3)
  0x10500073, // wfi
  0xfffe8e93, // addi t4, t4, -1
  0xfc0e98e3, // bnez t4, back to the first character
  0x001002b7, // lui t0, 0x100: sifive-test
  0x00005337, // lui t1, 5
  0x55530313, // addi t1, t1, 0x555: power off
  0x0062a023, // sw t1, 0(t0)
  0x0000006f, // j .
);

/** Of pages that no machine has. */
const noCode = new Uint8Array(100 * usedCodePageBytes).fill(255);

/** Saves and takes over a state, as the two ends of a migration do. */
export function rehearseArrival(machine: Machine): void {
  machine.restoreArrivedState(machine.saveState());
  machine.usedCode.dropRewritten();
  machine.usedCode.decode(noCode);
  machine.saveState();
}

/** A machine whose state is as long as a guest's that has run for a while. */
export function arrivalMachine(core: CoreModules): Machine {
  const machine = rehearsalMachine(core);
  machine.restoreState(busyState(machine.saveState()));
  return machine;
}

/** What a VM's worker works on, of a VM that does nothing: to be kept as specimens. */
export interface RehearsedVm {
  readonly loop: VmLoop;
  readonly machine: Machine;
  readonly outputs: VmOutputs;
  readonly control: VmControlBlock;
}

export function rehearsedVm(
  core: CoreModules,
  tell: (event: VmEvent) => void = () => {},
  memory: WebAssembly.Memory = createMachineMemory(core, memoryMib),
): RehearsedVm {
  const { port1, port2 } = new MessageChannel();
  const outputs = new VmOutputs({ port: { postMessage: tell }, nics: [] });
  const machine = rehearsalMachine(core, memory, outputs.emit);
  const control = new VmControlBlock();
  const loop = new VmLoop({
    machine,
    memory: new MachineMemory(core, memory, memoryMib),
    control,
    outputs,
    port: port2,
    clock: { guestTicks: machine.guestTimeTicks(), hostNs: process.hrtime.bigint() },
    migrationConsumers: dirtyConsumers.migration,
    introduction: null,
  });
  port1.close();
  return { loop, machine, outputs, control };
}

/** Its first step is the program's. */
export function loadRehearsedProgram(machine: Machine): void {
  machine.guestMemory.write(ramBase, new Uint8Array(program.buffer));
  machine.startFirmware();
}

/** Runs the program to its end, some 25 ms. */
export function rehearseRun({ loop, machine, control }: RehearsedVm): void {
  loadRehearsedProgram(machine);
  control.deadlineNs = withoutDeadline;
  control.budgetStepsPerMs = stepsPerMs;
  loop.run();
}

/** A machine as VMs have them, with nothing in it. */
function rehearsalMachine(
  core: CoreModules,
  memory: WebAssembly.Memory = createMachineMemory(core, memoryMib),
  emit: VmOutputs['emit'] = () => {},
): Machine {
  const board = { nics: [{ mac: '52:54:00:00:00:00' }], rngSeed: randomBytes(32), rtcEpochSeconds: 0 };
  return new Machine({ core, memory, memoryMib, devices: createDevices(vmDevices(board)), emit });
}
