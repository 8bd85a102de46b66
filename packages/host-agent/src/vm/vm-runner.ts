/**
 * The main thread's handle on a VM worker: assigns it a machine, passes commands, hears its events. All it shares
 * with the worker are messages and shared memory, so that a process a VM stays possible.
 */
import { MessageChannel, type MessagePort, type Worker } from 'node:worker_threads';
import { type CoreModules, type MachineInput, MachineMemory } from '@skein/machine';
import { Doorbell, FrameRing, Traffic } from '@skein/network';
import type { NicSpec } from '@skein/shared';
import type { VmControlBlock } from './control-block.ts';
import type { SpareMachines } from './spare-machines.ts';
import type { VmAssignment, VmCommand, VmEvent, VmNic, VmOrigin, VmWorkerMessage } from './vm-channel.ts';

const ringBytes = 1 << 19;
const stopDeadlineMs = 1000;

export interface VmRunnerOptions {
  /** One of them is taken, and its worker given back when its VM has ended in good order. */
  readonly machines: SpareMachines;
  readonly core: CoreModules;
  readonly memoryMib: number;
  readonly nics: readonly Pick<NicSpec, 'mac'>[];
  readonly control: VmControlBlock;
  readonly switchDoorbell: Doorbell;
  readonly origin: VmOrigin;
  readonly onEvent: (event: VmEvent) => void;
}

export class VmRunner {
  readonly memory: WebAssembly.Memory;
  readonly nics: readonly VmNic[];
  readonly #machineMemory: MachineMemory;
  readonly #worker: Worker;
  readonly #port: MessagePort;
  #hasEnded = false;

  constructor(options: VmRunnerOptions) {
    const { memoryMib, core } = options;
    this.memory = options.machines.takeMemory(memoryMib);
    this.#machineMemory = new MachineMemory(core, this.memory, memoryMib);
    const attention = this.#machineMemory.attention;
    const wakeVm = Doorbell.attach(attention.buffer, attention.byteOffset);
    this.nics = options.nics.map(({ mac }) => ({
      mac,
      transmitRing: FrameRing.create({ capacityBytes: ringBytes, doorbell: options.switchDoorbell }).handle,
      receiveRing: FrameRing.create({ capacityBytes: ringBytes, doorbell: wakeVm }).handle,
      traffic: new Traffic().buffer,
    }));
    const channel = new MessageChannel();
    this.#port = channel.port1;
    this.#worker = options.machines.takeWorker();
    this.#listen(options);
    const assignment: VmAssignment = {
      type: 'assign',
      core,
      memory: this.memory,
      memoryMib,
      control: options.control.buffer,
      nics: this.nics,
      port: channel.port2,
      origin: options.origin,
    };
    this.#worker.postMessage(assignment, [channel.port2]);
  }

  get missingPages(): number {
    return this.#machineMemory.missingPages;
  }

  input(input: MachineInput): void {
    this.#command({ type: 'input', input });
  }

  /** Asks the guest to announce its addresses to the network. */
  announce(): void {
    this.#command({ type: 'announce' });
  }

  /** A port over which a transfer worker talks to this VM; whoever posts to it pokes the attention word. */
  attachTransfer(): MessagePort {
    const { port1, port2 } = new MessageChannel();
    this.#command({ type: 'attach-transfer', port: port1 }, [port1]);
    return port2;
  }

  /** Lets a suspended vCPU go on, where no transfer worker is left to do it. */
  resume(): void {
    this.#command({ type: 'resume' });
  }

  /** Ends the VM at its next slice boundary; the `ended` event follows. */
  stop(): void {
    this.#command({ type: 'stop' });
    // A thread that does not come to a boundary is ended; its exit is the `ended` event then.
    setTimeout(() => {
      if (!this.#hasEnded) void this.#worker.terminate();
    }, stopDeadlineMs).unref();
  }

  #command(command: VmCommand, transfer: readonly MessagePort[] = []): void {
    if (this.#hasEnded) return;
    this.#port.postMessage(command, [...transfer]);
    this.#machineMemory.poke();
  }

  #listen({ onEvent, machines }: VmRunnerOptions): void {
    const end = (event: VmEvent): void => {
      if (this.#hasEnded) return;
      if (event.type === 'ended') {
        this.#hasEnded = true;
        this.#port.close();
      }
      onEvent(event);
    };
    this.#port.on('message', end);
    this.#worker.on('message', ({ type }: VmWorkerMessage) => {
      if (type === 'spare') machines.giveBack(this.#worker);
    });
    this.#worker.once('error', (error) => end({ type: 'failed', message: String(error) }));
    // A thread that dies without a word (out of memory, a bug) still ends its VM. Messages it sent come first.
    this.#worker.once('exit', () => setImmediate(() => end({ type: 'ended' })));
  }
}
