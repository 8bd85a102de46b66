/**
 * A host that has no address space left for a spare machine: says as JSON what becomes of the spare thread, and of a VM that comes when
 * there is room again. To be run under a limit of it (setrlimit(2), RLIMIT_AS).
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { loadCore } from '@skein/machine';
import { SpareMachines } from './spare-machines.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Each takes as much address space as any memory that is shared, and nothing else. */
function takeAddressSpace(): WebAssembly.Memory[] {
  const taken: WebAssembly.Memory[] = [];
  try {
    for (;;) taken.push(new WebAssembly.Memory({ initial: 0, maximum: 65_536, shared: true }));
  } catch {
    return taken;
  }
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
machines.refill();
hogs.length = 0;
collect();
const memory = machines.takeMemory(64);
const worker = machines.takeWorker();
await worker.terminate();
await machines.close();
console.log(JSON.stringify({ hogCount, troubles, memoryBytes: memory.buffer.byteLength }));
