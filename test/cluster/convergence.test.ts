/** Migrations of a guest that writes faster than its pages can be sent, and what there is against that. */
import type { MigrationRecord } from '@skein/shared';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AgentBed, BedVm } from '../support/agent-bed.ts';
import { BedGuest } from '../support/bed-guest.ts';

let guest: BedGuest;
let bed: AgentBed;
let vm: BedVm;

beforeAll(async () => {
  guest = await BedGuest.start();
  ({ bed, vm } = guest);
});
afterAll(() => bed.close());

function expectOneState({ stateHashSource, stateHashTarget, stateHashSourceFull }: MigrationRecord): void {
  expect([stateHashTarget, stateHashSourceFull]).toEqual([stateHashSource, stateHashSource]);
}

describe('a guest that rewrites whole pages faster than they can be sent', () => {
  it('is slowed step by step until the rest fits the downtime budget, and runs at full speed at the target', async () => {
    await guest.run('dirtier 16 100000 page &', /dirtier: \d+ /);
    const record = await bed.migrate(vm, guest.otherHost, {
      bandwidthCapBytesPerS: 100e6,
      downtimeBudgetMs: 30,
      compression: 'never',
    });
    expectOneState(record);
    expect(record.precopyEnd).toBe('fits-budget');
    const throttles = record.rounds.map(({ throttlePercent }) => throttlePercent);
    expect(throttles).toEqual(throttles.toSorted((a, b) => a - b));
    expect(record.throttlePercentMax).toBeGreaterThanOrEqual(20);
    // The cap held: of what was sent beside the running guest, in the time that it took.
    const rounds = record.rounds.slice(0, -1);
    const bytes = rounds.reduce((sum, round) => sum + round.bytes, 0);
    const seconds = rounds.reduce((sum, round) => sum + round.durationMs, 0) / 1000;
    expect(bytes / seconds).toBeLessThan(100e6 * 1.1);
    await guest.expectVerified();
  });

  it('stays where it is, unharmed and unslowed, if that was wanted', async () => {
    await guest.run('dirtier 16 100000 page &', /dirtier: \d+ /);
    const operation = await bed.beginMigration(vm, guest.otherHost, undefined, {
      autoConverge: false,
      onNoConvergence: 'fail',
      bandwidthCapBytesPerS: 50e6,
      compression: 'never',
    });
    const record = await bed.recordOf(operation, 'source');
    await bed.recordOf(operation, 'target');
    expect(record).toMatchObject({ outcome: 'aborted', throttlePercentMax: 0 });
    expect(record.reason).toMatch(/^it does not converge: after \d+ rounds the rest would take \d+ ms/);
    expect(bed.report(vm.host, vm)).toMatchObject({ state: 'running', epoch: vm.epoch });
    await guest.expectVerified();
  });
});

describe('what is sent', () => {
  it('is the change alone of pages in which a counter counts', async () => {
    await guest.run('dirtier 16 2000 counter &', /dirtier: \d+ /);
    const record = await bed.migrate(vm, guest.otherHost, {
      bandwidthCapBytesPerS: 30e6,
      compression: 'never',
    });
    expectOneState(record);
    expect(record.deltaPages).toBeGreaterThan(0);
    await guest.expectVerified();
  });

  it('is compressed where that is asked for, and what arrives is the same', async () => {
    const record = await bed.migrate(vm, guest.otherHost, { compression: 'always' });
    expectOneState(record);
    expect(record.bytes).toBeLessThan(record.uncompressedBytes / 2);
    const plain = await bed.migrate(vm, guest.otherHost, { compression: 'never' });
    expectOneState(plain);
    expect(plain.bytes).toBe(plain.uncompressedBytes);
  });
});
