import {
  createDevices,
  createMachineMemory,
  loadCore,
  Machine,
  MachineMemory,
  pageBytes,
} from '@skein/machine';
import { expect, it } from 'vitest';
import { frozenHash } from './frozen-hash.ts';

/** No multiple of what is hashed at once. */
const memoryMib = 65;
const ramBase = 0x8000_0000;

it('the hash of a frozen memory is the machine’s, of all its pages to the last', async () => {
  const core = await loadCore();
  const wasm = createMachineMemory(core, memoryMib);
  const memory = new MachineMemory(core, wasm, memoryMib);
  const machine = new Machine({
    core,
    memory: wasm,
    memoryMib,
    devices: createDevices({ nics: [] }),
    emit: () => {},
  });
  const pages = [0, 511, 512, 5000, memory.pages - 1];
  const hashes = new Set<bigint>();
  for (const page of pages) {
    machine.guestMemory.write(ramBase + page * pageBytes, new Uint8Array(pageBytes).fill(0xa5));
    const hash = await frozenHash(core, memory);
    expect(hash).toBe(machine.memoryHash());
    hashes.add(hash);
  }
  expect(hashes.size).toBe(pages.length);
});
