/**
 * The ledger of a migration: its record as JSON lines, one for each thing that happened, for programs to read years later.
 * Statistics are named as in QEMU's query-migrate where it has them (QEMU, qapi/migration.json, MigrationInfo and
 * MigrationStats); where QEMU counts from the beginning, a `round` line counts that round alone. Times are ms since the
 * migration began, on the source's monotonic clock. docs/guide/migration-records.md describes every line.
 */
import { z } from 'zod';
import { Epoch, HostName, OperationId, StateHash, VmId } from '../ids.ts';
import {
  DowntimeParts,
  MigrationMode,
  MigrationMoments,
  MigrationOutcome,
  MigrationSettings,
  PrecopyEnd,
} from '../model/migration.ts';
import { ObservedClock } from '../model/observation.ts';

/** Grows with each change that a reader of before would not understand. 2: `free-pages`. 3: `rewritten-pages`. 4: `observation`. 5: `ahead`. 6: `head-start-steps`. */
export const ledgerVersion = 6;

const count = z.int().min(0);
const sizeBytes = z.int().min(0);
const durationMs = z.number().min(0);
const rate = z.number().min(0);
const percent = z.number().min(0).max(100);
/** The target's times are moved by the measured offset of its clock: they are right to within this. */
const errorMs = z.number().min(0);

/** Pages that the guest had reported free: not sent, or as zero pages. Version 1 has them among the zero ones. */
const freePages = count.default(0);

export const LedgerBegin = z.strictObject({
  event: z.literal('begin'),
  ledger: z.literal([1, 2, 3, 4, 5, ledgerVersion]),
  operation: OperationId,
  vm: VmId,
  from: HostName,
  to: HostName,
  mode: MigrationMode,
  epoch: Epoch,
  /** As the API has them; null in records of before there were any. */
  settings: MigrationSettings.nullable(),
  ram: z.strictObject({ total: sizeBytes, 'page-size': z.int().min(1) }),
});

/** What the prediction behind a round came to: there only where the rest was sent while the guest stood, right after it. */
export const PredictionOutcome = z.strictObject({
  downtime: durationMs,
  /** Positive where it took longer than was expected. */
  'expected-downtime-error': z.number(),
});

export const LedgerRound = z.strictObject({
  event: z.literal('round'),
  phase: z.enum(['pre-copy', 'stop-and-copy']),
  round: z.int().min(1),
  'start-ms': durationMs,
  'duration-ms': durationMs,
  ram: z.strictObject({
    transferred: sizeBytes,
    duplicate: count,
    normal: count,
    remaining: sizeBytes,
    'dirty-pages-rate': rate,
    mbps: rate,
  }),
  'xbzrle-cache': z.strictObject({ pages: count }),
  'free-pages': freePages,
  /** Left out of the round, for the guest wrote them again before their turn: they are among the remaining. */
  'rewritten-pages': count.default(0),
  'uncompressed-bytes': sizeBytes,
  'cpu-throttle-percentage': percent,
  /** Null of what was sent while the guest stood: there was nothing left to predict. */
  'expected-downtime': durationMs.nullable(),
  outcome: PredictionOutcome.nullable(),
});
export type LedgerRound = z.infer<typeof LedgerRound>;

export const LedgerClock = z.strictObject({
  event: z.literal('clock'),
  source: HostName,
  target: HostName,
  /** Of the target's clock against the source's. */
  'offset-ms': z.number(),
  'error-ms': errorMs,
});

export const LedgerMoment = z.strictObject({
  event: z.literal('moment'),
  moment: MigrationMoments.keyof(),
  host: HostName,
  'at-ms': z.number(),
  'error-ms': errorMs,
});

export const LedgerPhase = z.strictObject({
  event: z.literal('phase'),
  phase: z.enum(['pre-copy', 'stop-and-copy', 'post-copy']),
  'start-ms': z.number(),
  'end-ms': z.number(),
  'duration-ms': durationMs,
  /** Nonzero where the phase begins or ends on the target's clock. */
  'error-ms': errorMs,
});

/** The same downtime by three clocks; null: nobody observed it. */
export const DowntimeClocks = z.strictObject({
  /** From the suspension on the source to the target's permission to run. */
  hypervisor: durationMs.nullable(),
  /** The longest gap between two ticks of a program in the guest. */
  guest: durationMs.nullable(),
  /** The longest gap between two answers that an observer on the network got. */
  network: durationMs.nullable(),
});
export type DowntimeClocks = z.infer<typeof DowntimeClocks>;

export const LedgerDowntime = z.strictObject({
  event: z.literal('downtime'),
  downtime: durationMs,
  'error-ms': errorMs,
  parts: DowntimeParts,
  clocks: DowntimeClocks,
});

/** What an observer saw of one clock: behind the downtime, one for each that was observed. */
export const LedgerObservation = z.strictObject({
  event: z.literal('observation'),
  clock: ObservedClock,
  'gap-ms': durationMs,
  /** False: nothing was heard any more, and the gap is at least that long. */
  'has-ended': z.boolean(),
  'window-ms': durationMs,
  readings: count,
  lost: count,
  /** Right before the migration; null: nothing was heard then. */
  'control-gap-ms': durationMs.nullable(),
  'control-window-ms': durationMs,
});

/** What followed when the guest ran at the target: there only where something did. */
export const LedgerPostcopy = z.strictObject({
  event: z.literal('post-copy'),
  pages: count,
  'free-pages': freePages,
  'duration-ms': durationMs,
  ram: z.strictObject({ 'postcopy-requests': count, 'postcopy-bytes': sizeBytes }),
  'uncompressed-bytes': sizeBytes,
  /** Of the guest for pages, in all and the longest. */
  'postcopy-blocktime': durationMs,
  'postcopy-blocktime-max': durationMs,
});

/** What the target did for the guest before it came: there only where the guest did. */
export const LedgerAhead = z.strictObject({
  event: z.literal('ahead'),
  'allocated-pages': count,
  'decoded-pages': count,
  /** Version 5 has none. */
  'head-start-steps': count.default(0),
});

export const LedgerEnd = z.strictObject({
  event: z.literal('end'),
  outcome: MigrationOutcome,
  reason: z.string().nullable(),
  'precopy-end': PrecopyEnd.nullable(),
  'setup-time': durationMs,
  'total-time': durationMs,
  downtime: durationMs,
  ram: z.strictObject({
    transferred: sizeBytes,
    duplicate: count,
    normal: count,
    mbps: rate,
    'dirty-sync-count': count,
    'precopy-bytes': sizeBytes,
    'downtime-bytes': sizeBytes,
  }),
  'xbzrle-cache': z.strictObject({ pages: count }),
  'free-pages': freePages,
  'uncompressed-bytes': sizeBytes,
  /** The most that the vCPU was slowed. */
  'cpu-throttle-percentage': percent,
  epoch: Epoch,
  hashes: z.strictObject({ source: StateHash, target: StateHash, 'source-full': StateHash.nullable() }),
});

export const LedgerLine = z.discriminatedUnion('event', [
  LedgerBegin,
  LedgerRound,
  LedgerClock,
  LedgerMoment,
  LedgerPhase,
  LedgerDowntime,
  LedgerObservation,
  LedgerAhead,
  LedgerPostcopy,
  LedgerEnd,
]);
export type LedgerLine = z.infer<typeof LedgerLine>;
