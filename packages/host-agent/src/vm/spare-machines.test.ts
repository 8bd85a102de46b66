import type { Worker } from 'node:worker_threads';
import { type CoreModules, createMachineMemory, loadCore, MachineError } from '@skein/machine';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { SpareMachines } from './spare-machines.ts';

let core: CoreModules;
let machines: SpareMachines;
const taken: Worker[] = [];

beforeAll(async () => {
  core = await loadCore();
});

function spare(spareCount: 0 | 1): void {
  machines = new SpareMachines({
    core,
    spareCount,
    keptMax: 1,
    onTrouble: (reason) => expect.fail(reason),
  });
}

function take(memoryMib: number): WebAssembly.Memory {
  const memory = machines.takeMemory(memoryMib);
  taken.push(machines.takeWorker());
  return memory;
}

/** Only a spare one was made without knowing how large it will be. */
function wasSpare(memory: WebAssembly.Memory): boolean {
  try {
    memory.grow(1);
    return true;
  } catch {
    return false;
  }
}

const bytesOf = (mib: number): number => createMachineMemory(core, mib).buffer.byteLength;

afterEach(async () => {
  await machines.close();
  await Promise.all(taken.splice(0).map((worker) => worker.terminate()));
});

describe('what is made when it is calm', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('is there half a second after it was asked for last', () => {
    spare(1);
    take(64);
    machines.refillWhenCalm();
    vi.advanceTimersByTime(400);
    machines.refillWhenCalm();
    vi.advanceTimersByTime(499);
    expect(wasSpare(take(64))).toBe(false);
    machines.refillWhenCalm();
    vi.advanceTimersByTime(500);
    expect(wasSpare(take(64))).toBe(true);
  });

  it('is not made while somebody who took one has not asked for it himself', () => {
    spare(1);
    take(64);
    machines.refillWhenCalm();
    take(64);
    vi.advanceTimersByTime(10_000);
    expect(wasSpare(take(64))).toBe(false);
  });
});

describe('the memory of a machine', () => {
  it('was spare where there was one, and has the size that it shall have', () => {
    spare(1);
    const [first, second] = [take(160), take(64)];
    expect([first, second].map(({ buffer }) => buffer.byteLength)).toEqual([bytesOf(160), bytesOf(64)]);
    expect([first, second].map(wasSpare)).toEqual([true, false]);
    machines.refill();
    expect(wasSpare(take(64))).toBe(true);
  });

  it('is its own, though one worker serves several', () => {
    spare(1);
    const first = take(64);
    const [worker] = taken.splice(0);
    if (worker === undefined) throw new Error('no worker');
    machines.giveBack(worker);
    const second = take(64);
    expect(taken).toEqual([worker]);
    expect(second).not.toBe(first);
    expect(wasSpare(second)).toBe(true);
  });

  it('of a size that no machine has is none, and what was spare is spare still', () => {
    spare(1);
    expect(() => machines.takeMemory(5000)).toThrow(MachineError);
    expect(() => machines.takeMemory(63)).toThrow(MachineError);
    expect(wasSpare(take(64))).toBe(true);
  });
});
