/** Gives the first pages of a machine's RAM their memory, again and again, until it is told to stop. */
import { parentPort, workerData } from 'node:worker_threads';
import type { CoreModules } from '../core-module.ts';
import { createDevices } from '../devices/create-devices.ts';
import { Machine } from '../machine.ts';

const { core, memory, memoryMib, stop } = workerData as {
  readonly core: CoreModules;
  readonly memory: WebAssembly.Memory;
  readonly memoryMib: number;
  readonly stop: Int32Array;
};
const machine = new Machine({
  core,
  memory,
  memoryMib,
  devices: createDevices({ nics: [] }),
  emit: () => {},
});
parentPort?.postMessage('ready');
let turns = 0;
for (; Atomics.load(stop, 0) === 0; turns++) machine.allocatePages(0, 1);
parentPort?.postMessage(turns);
