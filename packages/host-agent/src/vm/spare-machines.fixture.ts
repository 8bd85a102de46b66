/**
 * A host that has no address space left for a spare machine: its thread is there all the same, and a VM that comes when there is room again
 * gets a memory; says as JSON what was heard and taken. To be run under a limit of it (setrlimit(2), RLIMIT_AS).
 */
import { once } from 'node:events';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { loadCore } from '@skein/machine';
import { SpareMachines } from './spare-machines.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Many more than fit the limit, if each takes what a shared memory takes where V8 guards it by address space (8 GiB and more). */
const hogsMax = 64;

/** Nothing but address space; throws where there is no end of it. */
function takeAddressSpace(): WebAssembly.Memory[] {
  const taken: WebAssembly.Memory[] = [];
  for (let index = 0; index < hogsMax; index++) {
    try {
      taken.push(new WebAssembly.Memory({ initial: 0, maximum: 65_536, shared: true }));
    } catch {
      return taken;
    }
  }
  throw new Error(
    `${hogsMax} shared memories fit: the limit does not hold, or they take less than is said here`,
  );
}

const core = await loadCore();
const hogs = takeAddressSpace();
const hogCount = hogs.length;
const troubles: string[] = [];
const machines = new SpareMachines({
  core,
  spareCount: 1,
  onTrouble: (reason) => troubles.push(reason),
});
const worker = machines.takeWorker();
await once(worker, 'online');
hogs.length = 0;
collect();
const memory = machines.takeMemory(64);
await worker.terminate();
await machines.close();
console.log(JSON.stringify({ hogCount, troubles, memoryBytes: memory.buffer.byteLength }));
