/** Migrations in which the guest runs at the target before all of its memory is there. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AgentBed, BedVm } from '../support/agent-bed.ts';
import { BedGuest } from '../support/bed-guest.ts';
import { until } from '../support/until.ts';

let guest: BedGuest;
let bed: AgentBed;
let vm: BedVm;

beforeAll(async () => {
  guest = await BedGuest.start();
  ({ bed, vm } = guest);
});
afterAll(() => bed.close());

const oneState = (hashes: { source: string; target: string; again: string | null }): void =>
  expect([hashes.target, hashes.again]).toEqual([hashes.source, hashes.source]);

describe('a migration in post-copy mode', () => {
  it('runs at the target at once, brings each page once, those it waits for first, and loses none', async () => {
    await guest.run('dirtier 16 2000 page &', /dirtier: \d+ /);
    for (let time = 0; time < 4; time++) {
      // So slow that what the guest waits for cannot all be on its way already.
      const settings = { mode: 'post-copy', bandwidthCapBytesPerS: 100e6 } as const;
      const record = await bed.migrate(vm, guest.otherHost, settings);
      expect(record).toMatchObject({ mode: 'post-copy', precopyEnd: 'post-copy', rounds: [], reason: null });
      oneState({
        source: record.stateHashSource,
        target: record.stateHashTarget,
        again: record.stateHashSourceFull,
      });
      const { postcopy } = record;
      expect(postcopy?.pages).toBeGreaterThan(4096);
      expect(postcopy?.demandPages).toBeGreaterThan(0);
      await until('its host says that all is there', () => bed.report(vm.host, vm)?.missingPages === 0);
      await guest.expectAlive();
    }
    await guest.expectVerified();
    expect(bed.console(vm)).not.toMatch(/MISMATCH/);
  });

  it('brings a sleeping guest, which wakes in time', async () => {
    bed.type(vm, 'sleep 3; echo woke $((20 + 22))\n');
    await until('the shell has read the command', () => bed.console(vm).trimEnd().endsWith('22))'));
    await bed.migrate(vm, guest.otherHost, { mode: 'post-copy' });
    await until('the guest wakes', () => /^woke 42/m.test(bed.console(vm)), 15_000);
  });
});

describe('a migration in hybrid mode', () => {
  it('sends everything once beside the running guest, and what got dirty after it', async () => {
    await guest.run('dirtier 16 100000 page &', /dirtier: \d+ /);
    const settings = { mode: 'hybrid', bandwidthCapBytesPerS: 50e6, compression: 'never' } as const;
    const record = await bed.migrate(vm, guest.otherHost, settings);
    expect(record).toMatchObject({ mode: 'hybrid', reason: null, throttlePercentMax: 0 });
    expect(record.rounds.length).toBe(2);
    expect(record.postcopy?.pages).toBeGreaterThan(0);
    oneState({
      source: record.stateHashSource,
      target: record.stateHashTarget,
      again: record.stateHashSourceFull,
    });
    await guest.expectVerified();
  });

  it('leaves nothing to follow where rounds were enough', async () => {
    const record = await bed.migrate(vm, guest.otherHost, { mode: 'hybrid', downtimeBudgetMs: 5000 });
    expect(record).toMatchObject({ precopyEnd: 'fits-budget', postcopy: null });
    await guest.expectAlive();
  });
});

describe('a migration that may end in post-copy', () => {
  it('does so when rounds stopped helping', async () => {
    await guest.run('dirtier 16 100000 page &', /dirtier: \d+ /);
    const record = await bed.migrate(vm, guest.otherHost, {
      autoConverge: false,
      onNoConvergence: 'post-copy',
      bandwidthCapBytesPerS: 50e6,
      compression: 'never',
    });
    expect(record).toMatchObject({ mode: 'pre-copy', precopyEnd: 'rounds-stopped-helping', reason: null });
    expect(record.postcopy?.pages).toBeGreaterThan(0);
    oneState({
      source: record.stateHashSource,
      target: record.stateHashTarget,
      again: record.stateHashSourceFull,
    });
    await guest.expectVerified();
  });
});

describe('the loss of the source while pages are missing', () => {
  it('ends the guest at the target, which says what was lost and gives the lease back; it runs nowhere else', async () => {
    const from = vm.host;
    const to = guest.otherHost;
    const operation = await bed.beginMigration(vm, to, undefined, {
      mode: 'post-copy',
      bandwidthCapBytesPerS: 2_000_000,
      compression: 'never',
    });
    await until('the guest runs at the target without its memory', () => {
      const report = bed.report(to, vm);
      return report?.state === 'running' && report.missingPages > 0;
    });
    bed.agent(from).kill('SIGKILL');
    const record = await bed.recordOf(operation, 'target');
    expect(record.outcome).toBe('committed');
    expect(record.reason).toMatch(new RegExp(`^\\d+ pages of its memory were lost with ${from}`));
    await until('the copy is gone', () => bed.report(to, vm)?.state === 'stopped');
    expect(bed.report(to, vm)?.reason).toMatch(/pages of its memory were lost/);
  });
});
