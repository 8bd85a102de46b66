/**
 * What a VM needs that can be there before it: a thread that has rehearsed, and a machine's memory whose fixed part the host has
 * given already. The spare thread touches the memory, in steps, and both go to the next VM together: no other thread holds it then.
 */
import type { Worker } from 'node:worker_threads';
import { type CoreModules, createMachineMemory, createSpareMemory, growMachineMemory } from '@skein/machine';
import type { VmRehearsal } from './vm-channel.ts';
import { WarmWorkers } from './warm-workers.ts';

export interface SpareMachinesOptions {
  readonly core: CoreModules;
  /** None or one. */
  readonly spareCount: 0 | 1;
  /** Workers whose VM has ended that are kept; default: as many as there are spare ones. */
  readonly keptMax?: 0 | 1;
  readonly onTrouble: (reason: string) => void;
}

/** By then the end of a guest's migration is over as well: the hash of the frozen memory, the collections. */
const calmMs = 500;

export class SpareMachines {
  readonly #options: SpareMachinesOptions;
  readonly #workers: WarmWorkers;
  /** The spare worker's, some 9 MiB. */
  #memory: WebAssembly.Memory | null = null;
  #calm: NodeJS.Timeout | undefined;

  constructor(options: SpareMachinesOptions) {
    const { core: _, ...rest } = options;
    this.#options = options;
    this.#workers = new WarmWorkers({
      ...rest,
      entry: 'vm.worker',
      rehearsal: () => this.#rehearsal(),
    });
  }

  /**
   * A machine's memory, which is its own for good; `takeWorker` follows at once.
   * @throws MachineError machine.memory-size, and nothing is taken
   */
  takeMemory(memoryMib: number): WebAssembly.Memory {
    const { core } = this.#options;
    const spare = this.#memory;
    if (spare === null) return createMachineMemory(core, memoryMib);
    growMachineMemory(core, spare, memoryMib);
    this.#memory = null;
    return spare;
  }

  /** The thread of that machine. `refill` when there is time for its successor. */
  takeWorker(): Worker {
    clearTimeout(this.#calm);
    return this.#workers.take();
  }

  /** Its VM has ended in good order. */
  giveBack(worker: Worker): void {
    this.#workers.giveBack(worker);
  }

  /** Makes what is missing. */
  refill(): void {
    this.#workers.refill();
  }

  /**
   * The same a while later, if nobody takes a worker meanwhile, who asks again when there is time: a thread that starts and rehearses beside
   * a guest that has just arrived, or is about to, takes a processor from it.
   */
  refillWhenCalm(): void {
    clearTimeout(this.#calm);
    this.#calm = setTimeout(() => this.refill(), calmMs).unref();
  }

  close(): Promise<void> {
    clearTimeout(this.#calm);
    return this.#workers.close();
  }

  #rehearsal(): VmRehearsal | null {
    const { core, spareCount } = this.#options;
    return spareCount === 0 ? null : { type: 'rehearse', core, memory: this.#spareMemory() };
  }

  /** Null where there is no more address space: a spare one is worth nobody's end. */
  #spareMemory(): WebAssembly.Memory | null {
    try {
      this.#memory ??= createSpareMemory(this.#options.core);
    } catch (error) {
      this.#options.onTrouble(String(error));
    }
    return this.#memory;
  }
}
