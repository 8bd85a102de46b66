import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OperationError } from '../../errors.ts';
import { pageBytes } from '../../frame/page.ts';
import {
  MigrationMode,
  type MigrationRecord,
  type MigrationRound,
  type MigrationSettings,
  migrationSettingsDefaults,
  OnNoConvergence,
} from '../../model/migration.ts';
import { nothingObserved } from '../../model/observation.ts';
import { precopyRoundsMax } from '../convergence.ts';
import { type Ledger, readLedger } from '../read-ledger.ts';
import { recordOf } from '../testing/records.ts';
import { formatLedger, ledgerLines } from '../write-ledger.ts';
import type { Replay } from './outcome.ts';
import { replayMigration } from './replay.ts';

const bytesPerS = 100e6;
const [base] = fc.sample(recordOf, { numRuns: 1, seed: 6 });

/** A guest on a link of 100 MB/s that dirties so many pages a second, of so many at most. */
interface Guest {
  readonly pages: number;
  readonly workingSetPages: number;
  readonly dirtyPagesPerS: number;
  readonly settings?: Partial<MigrationSettings>;
}

/** The rounds as the guest makes them, so that nothing of the model is behind them. */
function ledgerOf({ pages, workingSetPages, dirtyPagesPerS, settings }: Guest): Ledger {
  const rounds: MigrationRound[] = [];
  let [left, startedMs] = [pages, 2];
  for (let number = 1; number <= 3; number++) {
    const durationMs = (left * pageBytes) / (bytesPerS / 1000);
    const remainingPages = Math.min(workingSetPages, Math.round((dirtyPagesPerS * durationMs) / 1000));
    rounds.push({
      round: number,
      pages: left,
      zeroPages: 0,
      freePages: 0,
      rewrittenPages: 0,
      deltaPages: 0,
      bytes: left * pageBytes,
      uncompressedBytes: left * pageBytes,
      startedMs,
      durationMs,
      throttlePercent: 0,
      bandwidthBytesPerS: bytesPerS,
      dirtyPagesPerS: durationMs === 0 ? 0 : (remainingPages / durationMs) * 1000,
      remainingPages,
      predictedDowntimeMs: 3 + (remainingPages * pageBytes) / (bytesPerS / 1000),
    });
    startedMs += durationMs;
    left = remainingPages;
  }
  const record: MigrationRecord = {
    ...(base as MigrationRecord),
    outcome: 'aborted',
    mode: 'pre-copy',
    postcopy: null,
    settings: { ...migrationSettingsDefaults, ...settings },
    rounds,
    moments: null,
    phases: { precopyMs: startedMs, stopAndCopyMs: 0, postcopyMs: 5 },
    downtimeMs: 0,
  };
  return readLedger(formatLedger(ledgerLines(record, nothingObserved)));
}

const guestOf: fc.Arbitrary<Guest> = fc.record({
  pages: fc.integer({ min: 100, max: 100_000 }),
  workingSetPages: fc.integer({ min: 0, max: 20_000 }),
  dirtyPagesPerS: fc.integer({ min: 0, max: 50_000 }),
});
const capOf = fc.integer({ min: 65_536, max: 200e6 });
const wayOf = fc.record({
  mode: fc.constantFrom(...MigrationMode.options),
  onNoConvergence: fc.constantFrom(...OnNoConvergence.options),
});
const shape = ({ rounds }: Replay): readonly unknown[] =>
  rounds.filter(({ phase }) => phase === 'pre-copy').map(({ pages, bytes }) => [pages, bytes]);

describe('the replay of a pre-copy', () => {
  it('goes as the trace went as long as nothing else was asked for', () => {
    const ledger = ledgerOf({ pages: 50_000, workingSetPages: 9000, dirtyPagesPerS: 15_000 });
    const { rounds } = replayMigration(ledger, {});
    for (const [index, traced] of ledger.rounds.entries()) {
      const round = rounds[index];
      expect(round?.bytes).toBe(traced.ram.transferred);
      expect(round?.durationMs).toBeCloseTo(traced['duration-ms'], 6);
      expect(round?.remainingPages).toBe(traced.ram.remaining / pageBytes);
      expect(round?.predictedDowntimeMs).toBeCloseTo(traced['expected-downtime'] ?? 0, 6);
    }
  });

  it('never takes longer at a higher bandwidth where the guest dirties nothing', () => {
    fc.assert(
      fc.property(guestOf, capOf, capOf, (guest, one, other) => {
        const ledger = ledgerOf({ ...guest, workingSetPages: 0 });
        const total = (cap: number): number =>
          replayMigration(ledger, { bandwidthCapBytesPerS: cap, deadlineMs: 3_600_000 }).totalMs;
        expect(total(Math.max(one, other))).toBeLessThanOrEqual(total(Math.min(one, other)));
      }),
    );
  });

  it('never leaves more after the first round at a higher bandwidth', () => {
    fc.assert(
      fc.property(guestOf, capOf, capOf, (guest, one, other) => {
        const ledger = ledgerOf(guest);
        const left = (cap: number): number =>
          replayMigration(ledger, { bandwidthCapBytesPerS: cap }).rounds[0]?.remainingPages ?? 0;
        expect(left(Math.max(one, other))).toBeLessThanOrEqual(left(Math.min(one, other)));
      }),
    );
  });

  it('stops no later with a larger downtime budget, after the same rounds', () => {
    const budgetOf = fc.integer({ min: 1, max: 10_000 });
    fc.assert(
      fc.property(guestOf, budgetOf, budgetOf, (guest, one, other) => {
        const ledger = ledgerOf(guest);
        const small = shape(replayMigration(ledger, { downtimeBudgetMs: Math.min(one, other) }));
        const large = shape(replayMigration(ledger, { downtimeBudgetMs: Math.max(one, other) }));
        expect(small.slice(0, large.length)).toEqual(large);
      }),
    );
  });

  it('always ends, keeps its books, and predicts a downtime within the budget where it says that it fits', () => {
    fc.assert(
      fc.property(guestOf, capOf, fc.boolean(), wayOf, (guest, cap, autoConverge, way) => {
        const replay = replayMigration(ledgerOf(guest), {
          bandwidthCapBytesPerS: cap,
          autoConverge,
          ...way,
        });
        const precopy = replay.rounds.filter(({ phase }) => phase === 'pre-copy');
        expect(precopy.length).toBeLessThanOrEqual(precopyRoundsMax);
        const followed = replay.postcopy?.bytes ?? 0;
        expect(replay.bytes).toBe(replay.rounds.reduce((sum, { bytes }) => sum + bytes, followed));
        expect(replay.downtimeMs === null).toBe(replay.outcome !== 'committed');
        if (replay.precopyEnd === 'fits-budget')
          expect(precopy.at(-1)?.predictedDowntimeMs).toBeLessThanOrEqual(10);
        if (!autoConverge) expect(replay.throttlePercentMax).toBe(0);
      }),
    );
  });

  it('is given up, forced or slowed as the settings say where rounds are of no use', () => {
    const ledger = ledgerOf({ pages: 50_000, workingSetPages: 20_000, dirtyPagesPerS: 50_000 });
    const still = { autoConverge: false } as const;
    const forced = replayMigration(ledger, { ...still, onNoConvergence: 'force' });
    expect(forced).toMatchObject({ outcome: 'committed', precopyEnd: 'rounds-stopped-helping' });
    expect(forced.downtimeMs).toBeGreaterThan(800);
    const failed = replayMigration(ledger, { ...still, onNoConvergence: 'fail' });
    expect(failed).toMatchObject({ outcome: 'given-up', downtimeMs: null });
    const slowed = replayMigration(ledger, {});
    expect(slowed).toMatchObject({ outcome: 'committed', precopyEnd: 'fits-budget' });
    expect(slowed.throttlePercentMax).toBeGreaterThan(20);
  });

  it('lets follow what is left, in the modes that do, so that the downtime has no pages in it', () => {
    const ledger = ledgerOf({ pages: 50_000, workingSetPages: 20_000, dirtyPagesPerS: 50_000 });
    const all = replayMigration(ledger, { mode: 'post-copy' });
    expect(all).toMatchObject({ precopyEnd: 'post-copy', rounds: [], postcopy: { pages: 50_000 } });
    const hybrid = replayMigration(ledger, { mode: 'hybrid' });
    expect(hybrid.rounds.map(({ phase }) => phase)).toEqual(['pre-copy', 'pre-copy']);
    expect(hybrid.postcopy?.pages).toBe(hybrid.rounds.at(-1)?.remainingPages);
    const resort = replayMigration(ledger, { autoConverge: false, onNoConvergence: 'post-copy' });
    expect(resort).toMatchObject({ precopyEnd: 'rounds-stopped-helping', postcopy: { pages: 20_000 } });
    for (const { downtimeMs, assumptions } of [all, hybrid, resort]) {
      expect(downtimeMs).toBeCloseTo(3, 6);
      expect(assumptions.join('\n')).toMatch(/waits for pages that follow is not in a trace/);
    }
  });

  it('ends at the deadline where the cap is too low to commit before', () => {
    const ledger = ledgerOf({ pages: 50_000, workingSetPages: 9000, dirtyPagesPerS: 15_000 });
    const replay = replayMigration(ledger, { bandwidthCapBytesPerS: 65_536, deadlineMs: 1000 });
    expect(replay).toMatchObject({ outcome: 'deadline', totalMs: 1000, downtimeMs: null });
  });

  it('says what it takes for granted, and more of it where the trace does not tell', () => {
    const capped = ledgerOf({
      pages: 1000,
      workingSetPages: 100,
      dirtyPagesPerS: 100,
      settings: { bandwidthCapBytesPerS: 1e6, deltas: false },
    });
    const { assumptions } = replayMigration(capped, { bandwidthCapBytesPerS: null, deltas: true });
    expect(assumptions.join('\n')).toMatch(/lower cap.*is not known/);
    expect(assumptions.join('\n')).toMatch(/no page of the trace was sent as a delta/);
    expect(replayMigration(capped, {}).assumptions.join('\n')).not.toMatch(/lower cap/);
  });

  it('refuses a ledger without a round', () => {
    const empty = { ...(base as MigrationRecord), rounds: [] };
    const ledger = readLedger(formatLedger(ledgerLines(empty, nothingObserved)));
    expect(() => replayMigration(ledger, {})).toThrow(OperationError);
    expect(() => replayMigration(ledger, {})).toThrow(/no round of op-0123456789abcdef ended/);
  });
});
