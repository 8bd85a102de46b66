/**
 * Hashes of pages where they stand, in a machine's shared memory, for a thread that fills or checks the RAM of a
 * machine that does not run: what was applied is what is hashed. An instance of the core that executes nothing.
 */
import { type CoreExports, type CoreModules, instantiateCore, noImports } from './core-module.ts';
import type { MachineMemory } from './machine-memory.ts';

export class LivePages {
  /** Of the page at an address in live memory, 64 bits keyed by the page's number; 0 for a page of zeros. For other modules to call without a way through JavaScript. */
  readonly pageHash: CoreExports['pageHash'];

  constructor(modules: CoreModules, memory: MachineMemory) {
    const instance = instantiateCore(modules.core, memory.wasm, noImports);
    this.pageHash = (instance.exports as unknown as CoreExports).pageHash;
  }
}
