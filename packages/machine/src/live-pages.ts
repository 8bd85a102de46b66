/**
 * Hashes of pages where they stand, in a machine's shared memory, for a thread that fills or checks the RAM of a
 * machine that does not run: what was applied is what is hashed. An instance of the core that executes nothing.
 */
import { type CoreExports, type CoreModules, instantiateCore, noImports } from './core-module.ts';
import type { MachineMemory } from './machine-memory.ts';

export class LivePages {
  /** 64 bits, keyed by the page's number, of the page at an address in live memory; 0 for a page of zeros. For other modules to call without a way through JavaScript. */
  readonly pageHash: CoreExports['pageHash'];
  readonly #sumPageHashes: CoreExports['sumPageHashes'];
  readonly #memory: MachineMemory;

  constructor(modules: CoreModules, memory: MachineMemory) {
    const instance = instantiateCore(modules.core, memory.wasm, noImports);
    const core = instance.exports as unknown as CoreExports;
    this.pageHash = core.pageHash;
    this.#sumPageHashes = core.sumPageHashes;
    this.#memory = memory;
  }

  /** Sum of the hashes of the pages of a range that were ever written, modulo 2^64. */
  sumHashes(first: number, count: number): bigint {
    const { ramAddress, touchedAddress } = this.#memory;
    return BigInt.asUintN(64, this.#sumPageHashes(ramAddress, touchedAddress, first, count));
  }
}
