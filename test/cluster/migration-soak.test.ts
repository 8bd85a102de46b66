/** Two hundred migrations in a row: what each of them leaves behind would add up. */
import { createMachineMemory, loadCore } from '@skein/machine';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BedGuest } from '../support/bed-guest.ts';
import { type Footprint, footprintOf } from '../support/process-footprint.ts';

const migrations = 200;
/** Until then caches, code and heaps grow to what they need. */
const settledAfter = 40;
const windowLength = 40;
/**
 * Between the medians of two windows 120 migrations apart. What malloc keeps goes up and down in steps of its arenas' high
 * water, 31 MiB at most in runs of this test; so a third of a MiB that each migration left would show. The hashes and
 * bitmaps of a guest's pages are more than that, a transfer's buffers and heap are 15 MiB.
 */
const grownMibMax = 40;
/** Of one guest: where it runs, two copies left within the time that passes before a collection, one that is being filled. */
const guestMemoriesMax = 5;
const leftCopies = 2;
/** Collections are 1.2 s apart; a fast machine migrates four times a second, and then as many more than two are left as left the host in that time. */
const leftMsMax = 2000;
const testTimeoutMs = 400_000;

let guest: BedGuest;
let guestMemoryBytes: number;

beforeAll(async () => {
  guest = await BedGuest.start();
  guestMemoryBytes = createMachineMemory(await loadCore(), guest.vm.machine.memoryMib).buffer.byteLength;
});
afterAll(() => guest.bed.close());

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

describe('two hundred migrations of a guest that rewrites its memory and verifies every page', () => {
  it(
    'carry every bit of it, and leave nothing behind at either host',
    async () => {
      await guest.run('dirtier 16 2000 counter &', /dirtier: \d+ /);
      const samples = new Map<string, Footprint[]>([...guest.bed.agents.keys()].map((host) => [host, []]));
      const departures = new Map<string, number[]>([...guest.bed.agents.keys()].map((host) => [host, []]));
      const excesses: number[] = [];
      for (let time = 0; time < migrations; time++) {
        departures.get(guest.vm.host)?.push(performance.now());
        const { stateHashSource, stateHashTarget, stateHashSourceFull } = await guest.bed.migrate(
          guest.vm,
          guest.otherHost,
        );
        expect([stateHashTarget, stateHashSourceFull]).toEqual([stateHashSource, stateHashSource]);
        for (const [host, { pid }] of guest.bed.agents) {
          const footprint = footprintOf(pid, guestMemoryBytes);
          samples.get(host)?.push(footprint);
          const sinceMs = performance.now() - leftMsMax;
          const left = departures.get(host)?.filter((atMs) => atMs > sinceMs).length ?? 0;
          excesses.push(footprint.guestMemories - Math.max(0, left - leftCopies));
        }
      }
      for (const [host, footprints] of samples) {
        const early = footprints.slice(settledAfter, settledAfter + windowLength);
        const late = footprints.slice(-windowLength);
        const grown = (pick: (footprint: Footprint) => number): number =>
          median(late.map(pick)) - median(early.map(pick));
        const seen = `${host}: ${JSON.stringify(early[0])} ... ${JSON.stringify(late.at(-1))}`;
        expect(
          grown(({ ownMib }) => ownMib),
          seen,
        ).toBeLessThan(grownMibMax);
        expect(
          grown(({ guestMemories }) => guestMemories),
          seen,
        ).toBeLessThanOrEqual(1);
        // A worker more or less, that of the last migration, with its event loop's descriptors.
        expect(
          grown(({ threads }) => threads),
          seen,
        ).toBeLessThanOrEqual(1);
        expect(
          grown(({ fileDescriptors }) => fileDescriptors),
          seen,
        ).toBeLessThanOrEqual(8);
        expect(Math.max(...footprints.map(({ guestMemories }) => guestMemories)), seen).toBeGreaterThan(0);
      }
      expect(Math.max(...excesses)).toBeLessThanOrEqual(guestMemoriesMax);
      await guest.expectVerified();
    },
    testTimeoutMs,
  );
});
