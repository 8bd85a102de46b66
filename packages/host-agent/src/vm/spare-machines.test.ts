import { type CoreModules, createMachineMemory, loadCore, MachineError } from '@skein/machine';
import { afterEach, beforeAll, expect, it } from 'vitest';
import { type SpareMachine, SpareMachines } from './spare-machines.ts';

let core: CoreModules;
let machines: SpareMachines;
const taken: SpareMachine[] = [];

beforeAll(async () => {
  core = await loadCore();
});

function spare(spareCount: number): void {
  machines = new SpareMachines({ core, spareCount, onTrouble: (reason) => expect.fail(reason) });
}

function take(memoryMib: number): SpareMachine {
  const machine = machines.take(memoryMib);
  taken.push(machine);
  return machine;
}

afterEach(async () => {
  await machines.close();
  await Promise.all(taken.splice(0).map(({ worker }) => worker.terminate()));
});

it('a machine has the memory that it shall have, whether it was spare or is made for it', () => {
  spare(1);
  const sizes = [64, 160, 64].map((mib) => [mib, take(mib).memory.buffer.byteLength]);
  for (const [mib = 0, bytes] of sizes) expect(bytes).toBe(createMachineMemory(core, mib).buffer.byteLength);
});

it('no two machines share a memory, though one worker serves both', () => {
  spare(1);
  const first = take(64);
  machines.giveBack(first.worker);
  const second = take(64);
  expect(second.worker).toBe(first.worker);
  expect(second.memory).not.toBe(first.memory);
});

it('a size that no machine has takes nothing', () => {
  spare(1);
  expect(() => machines.take(5000)).toThrow(MachineError);
  expect(() => machines.take(63)).toThrow(MachineError);
  expect(take(64).memory.buffer.byteLength).toBe(createMachineMemory(core, 64).buffer.byteLength);
});
