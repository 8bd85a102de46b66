import { beforeAll, expect, it } from 'vitest';
import {
  type CoreModules,
  createMachineMemory,
  createSpareMemory,
  growMachineMemory,
  layoutOf,
  loadCore,
} from './core-module.ts';
import { firstTouches, touchFirst } from './first-touch.ts';

let core: CoreModules;

beforeAll(async () => {
  core = await loadCore();
});

/** Of this process while it writes to each page of the host's in which code will be decoded. */
function faultsOfDecoding(memory: WebAssembly.Memory): number {
  const bytes = layoutOf(core, 'CODE_POOL_BYTES');
  const pool = new Uint8Array(memory.buffer, layoutOf(core, 'CODE_POOL'), bytes);
  const before = process.resourceUsage().minorPageFault;
  for (let at = 0; at < bytes; at += 4096) pool[at] = 0;
  return process.resourceUsage().minorPageFault - before;
}

it('after it nothing is decoded into memory that the host has to give first', () => {
  const untouched = faultsOfDecoding(createMachineMemory(core, 64));
  const memory = createMachineMemory(core, 64);
  touchFirst(core, memory);
  const touched = faultsOfDecoding(memory);
  expect(untouched).toBeGreaterThan(2000);
  expect(touched).toBeLessThan(200);
});

it('is done in steps, and holds for a machine that is made of the memory later', () => {
  const memory = createSpareMemory(core);
  expect([...firstTouches(core, memory)].length).toBeGreaterThan(20);
  growMachineMemory(core, memory, 160);
  expect(memory.buffer.byteLength).toBe(createMachineMemory(core, 160).buffer.byteLength);
  expect(faultsOfDecoding(memory)).toBeLessThan(200);
});

it('changes nothing: what was in the memory is there still', () => {
  const memory = createMachineMemory(core, 64);
  const bytes = new Uint8Array(memory.buffer, 0, layoutOf(core, 'RAM'));
  for (let at = 0; at < bytes.length; at += 997) bytes[at] = at;
  const before = bytes.slice();
  touchFirst(core, memory);
  expect(Buffer.from(bytes.slice()).equals(before)).toBe(true);
});

it.runIf(process.arch === 'x64')('takes one fault of the host a page, not two', () => {
  const memory = createMachineMemory(core, 64);
  const before = process.resourceUsage().minorPageFault;
  touchFirst(core, memory);
  const faults = process.resourceUsage().minorPageFault - before;
  expect(faults).toBeGreaterThan(2000);
  expect(faults).toBeLessThan(2600);
});
