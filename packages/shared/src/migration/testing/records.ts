/** Records of migrations as fast-check draws them: any figures that the schema allows, in an order that can be. */
import fc from 'fast-check';
import {
  MigrationMode,
  type MigrationRecord,
  type MigrationRound,
  migrationSettingsDefaults,
  PrecopyEnd,
} from '../../model/migration.ts';
import type { MigrationObservation } from '../../model/observation.ts';

/** Clocks tell nanoseconds. */
const ms = fc.nat(2_000_000_000).map((ns) => ns / 1e6);
const count = fc.nat(1_000_000);
const hash = fc.stringMatching(/^[0-9a-f]{16}$/);

const roundOf: fc.Arbitrary<Omit<MigrationRound, 'round' | 'startedMs'>> = fc
  .record({
    zeroPages: count,
    freePages: count,
    deltaPages: count,
    rewrittenPages: count,
    normalPages: count,
    bytes: count,
    compressedAway: count,
  })
  .chain(({ zeroPages, freePages, deltaPages, rewrittenPages, normalPages, bytes, compressedAway }) =>
    fc.record({
      pages: fc.constant(zeroPages + freePages + deltaPages + normalPages),
      zeroPages: fc.constant(zeroPages),
      freePages: fc.constant(freePages),
      deltaPages: fc.constant(deltaPages),
      rewrittenPages: fc.constant(rewrittenPages),
      bytes: fc.constant(bytes),
      uncompressedBytes: fc.constant(bytes + compressedAway),
      durationMs: ms,
      throttlePercent: fc.nat(95),
      bandwidthBytesPerS: ms,
      dirtyPagesPerS: ms,
      remainingPages: count,
      predictedDowntimeMs: ms,
    }),
  );

/** Numbered and one behind the other. */
export const roundsOf: fc.Arbitrary<MigrationRound[]> = fc.array(roundOf, { maxLength: 12 }).map((rounds) => {
  let startedMs = 1;
  return rounds.map((round, index) => {
    const here = { ...round, round: index + 1, startedMs };
    startedMs += round.durationMs;
    return here;
  });
});

const gapOf = fc.option(
  fc.record({
    gapMs: ms,
    hasEnded: fc.boolean(),
    windowMs: ms,
    readings: fc.integer({ min: 1, max: 1_000_000 }),
    lost: count,
    controlGapMs: fc.option(ms),
    controlWindowMs: ms,
  }),
);

export const observationOf: fc.Arbitrary<MigrationObservation> = fc.record({ guest: gapOf, network: gapOf });

const partsOf = fc.record({
  boundaryWaitMs: ms,
  lastPagesMs: ms,
  stateMs: ms,
  verifyMs: ms,
  leasePassMs: ms,
  resumeMs: ms,
});

const momentOf = fc.option(ms);
const momentsOf = fc.record({
  suspendRequestedMs: momentOf,
  suspendedMs: momentOf,
  lastPagesSentMs: momentOf,
  finalSentMs: momentOf,
  readyMs: momentOf,
  readyHeardMs: momentOf,
  passedMs: momentOf,
  grantedMs: momentOf,
  resumedMs: momentOf,
  endedMs: momentOf,
});

const postcopyOf = fc.record({
  pages: count,
  freePages: count,
  demandPages: count,
  bytes: count,
  uncompressedBytes: count,
  durationMs: ms,
  waitMs: ms,
  waitMsMax: ms,
});

export const recordOf: fc.Arbitrary<MigrationRecord> = fc.record({
  operation: fc.constant('op-0123456789abcdef'),
  vm: fc.constant('vm-0123456789abcdef'),
  from: fc.constant('h1'),
  to: fc.constant('h2'),
  mode: fc.constantFrom(...MigrationMode.options),
  outcome: fc.constantFrom('committed' as const, 'aborted' as const, 'unknown' as const),
  reason: fc.option(fc.string({ maxLength: 40 })),
  code: fc.option(fc.constantFrom('migration.page-mismatch' as const, 'migration.aborted' as const)),
  epochBefore: fc.integer({ min: 1, max: 1000 }),
  epochAfter: fc.integer({ min: 1, max: 1000 }),
  phases: fc.record({ precopyMs: ms, stopAndCopyMs: ms, postcopyMs: ms }),
  settings: fc.option(fc.constant(migrationSettingsDefaults)),
  rounds: roundsOf,
  precopyEnd: fc.option(fc.constantFrom(...PrecopyEnd.options)),
  postcopy: fc.option(postcopyOf),
  ahead: fc.option(fc.record({ allocatedPages: count, decodedPages: count, headStartSteps: count })),
  moments: fc.option(momentsOf),
  memoryMib: fc.nat(65_536),
  pages: count,
  zeroPages: count,
  freePages: count,
  deltaPages: count,
  bytes: count,
  uncompressedBytes: count,
  throttlePercentMax: fc.nat(95),
  totalMs: ms,
  downtimeMs: ms,
  downtime: partsOf,
  clockOffsetMs: fc.double({ min: -1000, max: 1000, noNaN: true }).map((value) => value + 0),
  clockOffsetErrorMs: ms,
  stateHashSource: hash,
  stateHashTarget: hash,
  stateHashSourceFull: fc.option(hash),
});
