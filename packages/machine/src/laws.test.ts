import { beforeAll, describe, expect, it } from 'vitest';
import { type CoreModules, loadCore } from './core-module.ts';
import { InputRecorder, replay } from './input-log.ts';
import type { Machine } from './machine.ts';
import { dirtyConsumers, pageBytes, pagesOf } from './machine-memory.ts';
import { loadSnapshot, saveSnapshot } from './snapshot.ts';
import { createHoppingGuest, hopSteps } from './test-support/hopping-guest.ts';
import { createRestlessGuest, seededRandom } from './test-support/restless-guest.ts';
import { usedCodePageBytes } from './used-code.ts';

const steps = 60_000;
/** The state is compared at each of these multiples, not only at the end. */
const checkpoint = 997;
const seeds = [1, 2, 3, 4, 5, 6, 7, 8];
let core: CoreModules;

beforeAll(async () => {
  core = await loadCore();
});

/**
 * Runs to `steps` in slices of random length, with something done between them. Returns the hashes of CPU and
 * devices at the checkpoints and of everything at the end.
 */
function runInSlices(
  machine: Machine,
  seed: number,
  between: (random: (below: number) => number) => void,
): bigint[] {
  const random = seededRandom(seed);
  const hashes: bigint[] = [];
  while (machine.steps < steps) {
    const done = Number(machine.steps);
    const longest = random(4) === 0 ? 3000 : 40;
    machine.run(Math.min(steps - done, checkpoint - (done % checkpoint), 1 + random(longest)));
    if (machine.steps % BigInt(checkpoint) === 0n) hashes.push(machine.cpuAndDevicesHash());
    between(random);
  }
  return [...hashes, machine.stateHash()];
}

/** The same hashes of a machine that does nothing but run. */
function hashesOfPlainRun(seed: number): bigint[] {
  const machine = createRestlessGuest(core, seed);
  const hashes: bigint[] = [];
  for (let done = 0; done < steps; done += checkpoint) {
    machine.run(Math.min(checkpoint, steps - done));
    if (machine.steps % BigInt(checkpoint) === 0n) hashes.push(machine.cpuAndDevicesHash());
  }
  return [...hashes, machine.stateHash()];
}

/** Any bits, of pages of code, of data and of none. */
function inventedCode(random: (below: number) => number): Uint8Array {
  const code = Uint8Array.from({ length: 20 * usedCodePageBytes }, () => random(256));
  const view = new DataView(code.buffer);
  for (let record = 0; record < 20; record++)
    view.setUint32(record * usedCodePageBytes, random(10) === 0 ? random(2 ** 31) : random(40), true);
  return code;
}

/** As a migration does it: past the other machine, which is told what was written. */
function bringPages(from: Machine, to: Machine): void {
  const { memory } = to;
  const rewritten = new Uint32Array(memory.wasm.buffer, memory.rewrittenAddress, memory.pages / 32);
  for (let page = 0; page < memory.pages; page++) {
    if (!from.memory.isTouched(page) || from.pageHash(page) === to.pageHash(page)) continue;
    memory.page(page).set(from.memory.page(page));
    memory.markTouched(page);
    Atomics.or(rewritten, page >>> 5, 1 << (page & 31));
  }
}

describe('a machine is a function of its steps and inputs', () => {
  // Odd seeds have a word of code that PMP lets nobody execute.
  it.each([1, 2])(
    'the guest of these tests faults, takes interrupts, writes its code and its page tables (seed %i)',
    (seed) => {
      const machine = createRestlessGuest(core, seed);
      const before = saveSnapshot(machine);
      machine.run(steps);
      expect(machine.steps).toBe(BigInt(steps));
      const trapped = machine.stateWord('RETIRED_OFFSET');
      expect(trapped).toBeGreaterThan(100n);
      expect(machine.register(20)).toBeGreaterThan(0n);
      expect(machine.stateWord('TLB_USED_COUNT')).toBeGreaterThanOrEqual(5n);
      expect(saveSnapshot(machine).length).toBeGreaterThan(before.length);
    },
  );

  it.each(seeds)('splitting a run into slices changes nothing (seed %i)', (seed) => {
    const machine = createRestlessGuest(core, seed);
    const hashes = runInSlices(machine, seed + 100, () => {});
    expect(hashes).toEqual(hashesOfPlainRun(seed));
  });

  it.each(seeds)('harvests and dropped caches change nothing (seed %i)', (seed) => {
    const machine = createRestlessGuest(core, seed);
    const hashes = runInSlices(machine, seed + 200, (random) => {
      if (random(3) === 0) machine.harvestDirty(dirtyConsumers.migration);
      if (random(3) === 0) machine.dropDerivedCaches();
    });
    expect(hashes).toEqual(hashesOfPlainRun(seed));
  });

  it.each(seeds)('saving and restoring the state at random steps changes nothing (seed %i)', (seed) => {
    const machine = createRestlessGuest(core, seed);
    const hashes = runInSlices(machine, seed + 300, (random) => {
      if (random(5) === 0) machine.restoreState(machine.saveState());
    });
    expect(hashes).toEqual(hashesOfPlainRun(seed));
  });

  it.each(seeds)('a snapshot loaded into another machine goes on as the first one does (seed %i)', (seed) => {
    const first = createRestlessGuest(core, seed);
    first.run(1 + seededRandom(seed + 400)(steps));
    const second = createRestlessGuest(core, seed + 1);
    second.run(1000);
    loadSnapshot(second, saveSnapshot(first));
    expect(second.stateHash()).toBe(first.stateHash());
    second.run(steps - Number(second.steps));
    expect(second.stateHash()).toBe(hashesOfPlainRun(seed).at(-1));
  });

  it.each(seeds)('code that is decoded ahead, whichever, changes nothing (seed %i)', (seed) => {
    const machine = createRestlessGuest(core, seed);
    const invent = seededRandom(seed + 440);
    const hashes = runInSlices(machine, seed + 450, (random) => {
      if (random(10) === 0) machine.usedCode.watch();
      if (random(5) === 0)
        machine.usedCode.decode(random(2) === 0 ? machine.usedCode.read() : inventedCode(invent));
      if (random(10) === 0) machine.dropDerivedCaches();
    });
    expect(hashes).toEqual(hashesOfPlainRun(seed));
  });

  it.each(seeds)(
    'a machine whose RAM is brought while its code is decoded goes on as the first one does (seed %i)',
    (seed) => {
      const random = seededRandom(seed + 460);
      const first = createRestlessGuest(core, seed);
      first.usedCode.watch();
      first.run(1 + random(5000));
      const second = createRestlessGuest(core, seed + 1);
      second.clearMemory();
      second.dropDerivedCaches();
      for (let round = 0; round < 4; round++) {
        bringPages(first, second);
        const { decoded } = second.usedCode.decode(first.usedCode.read());
        if (round === 0) expect(decoded).toBeGreaterThan(0);
        first.run(1 + random(300));
      }
      bringPages(first, second);
      second.restoreArrivedState(first.saveState());
      second.usedCode.dropRewritten();
      expect(second.stateHash()).toBe(first.stateHash());
      second.run(steps - Number(second.steps));
      expect(second.stateHash()).toBe(hashesOfPlainRun(seed).at(-1));
    },
  );

  it.each(seeds)('a replay of the recorded inputs reaches the same state (seed %i)', (seed) => {
    const recorded = createRestlessGuest(core, seed);
    const recorder = new InputRecorder(recorded);
    let ticks = 0n;
    runInSlices(recorded, seed + 500, (random) => {
      if (random(4) !== 0) return;
      ticks += BigInt(random(500));
      recorder.apply({ type: 'time', guestTicks: ticks, ratePerStep: random(2 ** 30) });
      recorder.apply({ type: 'console', bytes: Uint8Array.of(random(256)) });
    });
    const second = createRestlessGuest(core, seed);
    replay(second, recorder.log, recorded.steps);
    expect(recorded.stateHash()).not.toBe(hashesOfPlainRun(seed).at(-1));
    expect(second.stateHash()).toBe(recorded.stateHash());
  });
});

describe('pages that arrive when they are touched', () => {
  it.each(seeds)('change nothing: the run is the same step by step (seed %i)', (seed) => {
    const first = createRestlessGuest(core, seed);
    first.run(1 + seededRandom(seed + 700)(steps));
    const state = first.saveState();
    const frozen = first.memory.ram.slice(0, 0x4_0000);
    const touched = first.memory.touchedBitmap();
    const asked: number[] = [];
    const bring = (page: number): void => {
      asked.push(page);
      const range = [page * pageBytes, (page + 1) * pageBytes] as const;
      second.memory.ram.set(frozen.subarray(...range), page * pageBytes);
      second.memory.arrived(page);
    };
    const second = createRestlessGuest(core, seed + 1, bring);
    second.run(1000);
    second.clearMemory();
    second.restoreState(state);
    // What stands there before must never be seen.
    for (const page of pagesOf(touched)) second.memory.page(page).fill(0xa5);
    second.memory.setMissing(touched);
    const missing = second.memory.missingPages;
    second.run(steps - Number(second.steps));
    expect(new Set(asked).size).toBe(asked.length);
    expect(second.memory.missingPages).toBe(missing - asked.length);
    for (const page of pagesOf(touched)) if (second.memory.isMissing(page)) bring(page);
    expect(second.memory.missingPages).toBe(0);
    expect(second.stateHash()).toBe(hashesOfPlainRun(seed).at(-1));
  });
});

describe('a page that is missing', () => {
  it('is waited for by devices too, before they read or write a byte of it', () => {
    const asked: number[] = [];
    const machine = createRestlessGuest(core, 1, (page) => {
      asked.push(page);
      machine.memory.page(page).fill(0x5a);
      machine.memory.arrived(page);
    });
    const { base } = machine.guestMemory;
    machine.memory.setMissing(Uint32Array.of(0b1111_1100));
    const crossing = machine.guestMemory.readable(base + 3 * pageBytes - 2, 4);
    expect([...crossing]).toEqual([0x5a, 0x5a, 0x5a, 0x5a]);
    machine.guestMemory.write32(base + 5 * pageBytes, 1);
    expect(machine.guestMemory.read32(base + 5 * pageBytes + 4)).toBe(0x5a5a5a5a);
    machine.guestMemory.release([{ address: base + 6 * pageBytes, lengthBytes: pageBytes }]);
    expect(asked).toEqual([2, 3, 5, 6]);
    expect(machine.memory.missingPages).toBe(2);
  });

  it('ends the machine that touches it where nobody brings it', () => {
    const machine = createRestlessGuest(core, 1);
    machine.memory.setMissing(Uint32Array.of(1));
    expect(() => machine.run(10)).toThrow('page 0 of RAM is missing');
  });
});

describe('the page that instructions come from', () => {
  const stops = Array.from({ length: 4 * hopSteps }, (_, steps) => steps);

  it('is looked up anew when it was left and its TLB entry is gone, in one run as in single steps', () => {
    const inSteps = createHoppingGuest(core);
    for (const stop of stops) {
      const inOneRun = createHoppingGuest(core);
      inOneRun.run(stop);
      expect(inSteps.stateHash(), `after ${stop} steps`).toBe(inOneRun.stateHash());
      inSteps.run(1);
    }
  });

  it('is the same at the end of a run, whether a fast entry led there or a lookup', () => {
    const plain = createHoppingGuest(core);
    const forgetful = createHoppingGuest(core);
    for (const stop of stops) {
      expect(forgetful.stateHash(), `after ${stop} steps`).toBe(plain.stateHash());
      forgetful.dropDerivedCaches();
      plain.run(1);
      forgetful.run(1);
    }
    // The guest does what it is for: it is in S mode, and its TLB holds the second page and one of the two rivals.
    expect(plain.stateWord('PRIVILEGE')).toBe(1n);
    expect(plain.stateWord('TLB_USED_COUNT')).toBe(2n);
  });
});

describe('the dirty log', () => {
  it.each(seeds)('names every page that differs from the last harvest (seed %i)', (seed) => {
    const machine = createRestlessGuest(core, seed);
    machine.harvestDirty(dirtyConsumers.migration);
    machine.memory.takeDirty('migration');
    let before = machine.memory.ram.slice(0, 0x4_0000);
    let dirtyPages = 0;
    runInSlices(machine, seed + 600, (random) => {
      if (random(20) !== 0) return;
      machine.harvestDirty(dirtyConsumers.migration | dirtyConsumers.hash);
      const dirty = machine.memory.takeDirty('migration');
      const now = machine.memory.ram.slice(0, 0x4_0000);
      for (let page = 0; page < now.length / pageBytes; page++) {
        const range = [page * pageBytes, (page + 1) * pageBytes] as const;
        const isDirty = (((dirty[page >>> 5] ?? 0) >>> (page & 31)) & 1) === 1;
        if (isDirty) dirtyPages++;
        else if (Buffer.compare(now.subarray(...range), before.subarray(...range)) !== 0) {
          expect.fail(`page ${page} differs at step ${machine.steps} and is not in the log`);
        }
      }
      before = now;
    });
    expect(dirtyPages).toBeGreaterThan(5);
    const others = machine.memory.takeDirty('hash');
    expect(others.some((word) => word !== 0)).toBe(true);
  });
});
