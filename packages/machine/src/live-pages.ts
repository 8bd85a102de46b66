/**
 * Hashes of pages where they stand, in a machine's shared memory, for a thread that fills or checks the RAM of a
 * machine that does not run: what was applied is what is hashed. An instance of the core that executes nothing.
 */
import { type CoreExports, type CoreModules, instantiateCore, noImports } from './core-module.ts';
import { type MachineMemory, pageBytes } from './machine-memory.ts';

export class LivePages {
  readonly #core: CoreExports;
  readonly #ramAddress: number;

  constructor(modules: CoreModules, memory: MachineMemory) {
    const instance = instantiateCore(modules.core, memory.wasm, noImports);
    this.#core = instance.exports as unknown as CoreExports;
    this.#ramAddress = memory.ramAddress;
  }

  /** 64-bit hash keyed by the page's number; 0 for a page of zeros. */
  hash(page: number): bigint {
    return BigInt.asUintN(64, this.#core.pageHash(this.#ramAddress + page * pageBytes, page));
  }
}
