/**
 * What a VM needs that can be there before it: a thread that has rehearsed, and a machine's memory whose fixed part the host has
 * given already. The spare thread touches the memory, in steps; any thread may have it.
 */
import type { Worker } from 'node:worker_threads';
import { type CoreModules, createMachineMemory, createSpareMemory, growMachineMemory } from '@skein/machine';
import type { VmRehearsal } from './vm-channel.ts';
import { WarmWorkers } from './warm-workers.ts';

export interface SpareMachinesOptions {
  readonly core: CoreModules;
  readonly spareCount: number;
  /** Workers whose VM has ended that are kept; default: as many as there are spare ones. */
  readonly keptMax?: number;
  readonly onTrouble: (reason: string) => void;
}

/** Of one machine. The memory is its own for good; the worker is given back. */
export interface SpareMachine {
  readonly worker: Worker;
  readonly memory: WebAssembly.Memory;
}

export class SpareMachines {
  readonly #core: CoreModules;
  readonly #spareCount: number;
  readonly #workers: WarmWorkers;
  /** At most one: a megabyte each ten is little for a guest and much for nobody. */
  #memory: WebAssembly.Memory | null = null;

  constructor({ core, spareCount, onTrouble, ...options }: SpareMachinesOptions) {
    this.#core = core;
    this.#spareCount = spareCount;
    this.#workers = new WarmWorkers({
      ...options,
      entry: 'vm.worker',
      spareCount,
      rehearsal: () => this.#rehearsal(),
      onTrouble,
    });
  }

  /**
   * `refill` when there is time for its successor.
   * @throws MachineError machine.memory-size, and nothing is taken
   */
  take(memoryMib: number): SpareMachine {
    const memory = this.#takeMemory(memoryMib);
    return { worker: this.#workers.take(), memory };
  }

  /** Its VM has ended in good order. */
  giveBack(worker: Worker): void {
    this.#workers.giveBack(worker);
  }

  /** Makes what is missing. */
  refill(): void {
    this.#workers.refill();
  }

  close(): Promise<void> {
    return this.#workers.close();
  }

  #takeMemory(memoryMib: number): WebAssembly.Memory {
    const spare = this.#memory;
    if (spare === null) return createMachineMemory(this.#core, memoryMib);
    growMachineMemory(this.#core, spare, memoryMib);
    this.#memory = null;
    return spare;
  }

  #rehearsal(): VmRehearsal | null {
    if (this.#spareCount === 0) return null;
    this.#memory ??= createSpareMemory(this.#core);
    return { type: 'rehearse', core: this.#core, memory: this.#memory };
  }
}
