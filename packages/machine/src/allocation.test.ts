import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type CoreModules, createMachineMemory, loadCore } from './core-module.ts';
import { createDevices } from './devices/create-devices.ts';
import { Machine } from './machine.ts';

const memoryMib = 64;
const all = 0xffff_ffff;
/** 16 MiB of them. */
const words = 128;
let core: CoreModules;
let machine: Machine;

beforeAll(async () => {
  core = await loadCore();
});

beforeEach(() => {
  const memory = createMachineMemory(core, memoryMib);
  machine = new Machine({ core, memory, memoryMib, devices: createDevices({ nics: [] }), emit: () => {} });
});

function faultsOf(work: () => void): number {
  const before = process.resourceUsage().minorPageFault;
  work();
  return process.resourceUsage().minorPageFault - before;
}

const allocate = (pages: number): void => {
  for (let word = 0; word < words; word++) machine.allocatePages(word * 32, pages);
};
const write = (isMeant: (page: number) => boolean): void => {
  const { ram } = machine.memory;
  for (let page = 0; page < words * 32; page++) if (isMeant(page)) ram[page * 4096] = 1;
};

describe('pages that are given their memory ahead', () => {
  it('cost nothing more when they are written', () => {
    allocate(all);
    expect(faultsOf(() => write(() => true))).toBeLessThan(words * 32 * 0.1);
  });

  it.runIf(process.arch === 'x64')('cost one fault when they are given, not two', () => {
    const faults = faultsOf(() => allocate(all));
    expect(faults).toBeGreaterThan(words * 32 * 0.9);
    expect(faults).toBeLessThan(words * 32 * 1.2);
  });

  it('are those that are named: the others stay without', () => {
    allocate(0x5555_5555);
    expect(faultsOf(() => write((page) => page % 2 === 0))).toBeLessThan(words * 16 * 0.1);
    expect(faultsOf(() => write((page) => page % 2 === 1))).toBeGreaterThan(words * 16 * 0.9);
  });

  it('are counted, and are none that were brought already', () => {
    for (const page of [0, 5, 31, 32]) machine.memory.markTouched(page);
    expect(machine.allocatePages(0, all)).toBe(29);
    expect(machine.allocatePages(0, 1 << 5)).toBe(0);
    expect(machine.allocatePages(0, 1 << 6)).toBe(1);
    expect(machine.allocatePages(32, all)).toBe(31);
  });

  it('are what they were', () => {
    write((page) => page % 3 === 0);
    const before = Buffer.from(machine.memory.ram.slice(0, words * 32 * 4096));
    allocate(all);
    expect(before.equals(machine.memory.ram.slice(0, words * 32 * 4096))).toBe(true);
    expect(machine.memory.touchedBitmap().every((word) => word === 0)).toBe(true);
  });

  it('lose nothing that another thread writes to them meanwhile', async () => {
    const stop = new Int32Array(new SharedArrayBuffer(4));
    const entry = new URL('./test-support/allocating-thread.ts', import.meta.url);
    const worker = new Worker(entry, { workerData: { core, memory: machine.memory.wasm, memoryMib, stop } });
    await once(worker, 'message');
    const view = new Uint32Array(machine.memory.wasm.buffer, machine.memory.ramAddress, 1024);
    let lost = 0;
    for (let value = 1; value <= 1_000_000; value++) {
      view[0] = value;
      // Long enough for the other thread to come by, which would put back what it had read before.
      for (let look = 0; look < 8; look++) if (Atomics.load(view, 0) !== value) lost += 1;
      Atomics.store(view, 0, 0);
    }
    Atomics.store(stop, 0, 1);
    const [turns] = (await once(worker, 'message')) as [number];
    expect(turns).toBeGreaterThan(1000);
    expect(lost).toBe(0);
  });
});
