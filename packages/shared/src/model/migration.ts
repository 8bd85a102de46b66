/** The record of a live migration: every one has all three phases (vocabulary: phases of a live migration). */
import { z } from 'zod';
import { ErrorCodeSchema } from '../errors.ts';
import { Epoch, HostName, OperationId, StateHash, VmId } from '../ids.ts';

export const MigrationMode = z.enum(['pre-copy', 'post-copy', 'hybrid']);
export type MigrationMode = z.infer<typeof MigrationMode>;

/**
 * When rounds stop helping, slowed or not: the migration fails, the guest is stopped however long the rest takes, or the
 * rest follows when the guest runs at the target.
 */
export const OnNoConvergence = z.enum(['fail', 'force', 'post-copy']);
export type OnNoConvergence = z.infer<typeof OnNoConvergence>;

/** When pages are compressed: where the link is slow enough for that to pay, always, never. */
export const CompressionChoice = z.enum(['auto', 'always', 'never']);
export type CompressionChoice = z.infer<typeof CompressionChoice>;

/** How a VM is migrated: what people may choose. */
export const MigrationSettings = z.strictObject({
  mode: MigrationMode.default('pre-copy'),
  /** The guest is stopped when what is left is expected to take no longer. */
  downtimeBudgetMs: z.number().min(1).max(10_000).default(10),
  /** The migration is given up when it has not committed after this time. */
  deadlineMs: z.number().min(1000).max(3_600_000).default(120_000),
  /** Rounds that do not help slow the vCPU, step by step. */
  autoConverge: z.boolean().default(true),
  onNoConvergence: OnNoConvergence.default('force'),
  /** Of pages on the wire; null: none. */
  bandwidthCapBytesPerS: z.number().min(65_536).nullable().default(null),
  compression: CompressionChoice.default('auto'),
  /** Pages that got dirty again are sent as what changed in them. */
  deltas: z.boolean().default(true),
});
export type MigrationSettings = z.infer<typeof MigrationSettings>;
export const migrationSettingsDefaults: MigrationSettings = MigrationSettings.parse({});

export const MigrationRound = z.strictObject({
  round: z.int().min(1),
  /** Each is of one kind: free, zero, delta, or sent whole. */
  pages: z.int().min(0),
  zeroPages: z.int().min(0),
  /** Zero, for the guest said that it does not need them: not sent at all unless the target has something else there. */
  freePages: z.int().min(0).default(0),
  /** Sent as what changed since they were sent last. */
  deltaPages: z.int().min(0).default(0),
  /** Not sent, and none of `pages`: the guest wrote them again before their turn, so that they are among the remaining. */
  rewrittenPages: z.int().min(0).default(0),
  /** On the wire. */
  bytes: z.int().min(0),
  /** Before compression; equal to `bytes` where none paid. */
  uncompressedBytes: z.int().min(0).default(0),
  /** Since the migration began. */
  startedMs: z.number().min(0).default(0),
  durationMs: z.number().min(0),
  /** By how much the vCPU was slowed meanwhile. */
  throttlePercent: z.number().min(0).max(100).default(0),
  bandwidthBytesPerS: z.number().min(0),
  /** Pages that got dirty during this round, per second. */
  dirtyPagesPerS: z.number().min(0),
  /** Pages left for the next round when this one ended. */
  remainingPages: z.int().min(0),
  /** What the rest was expected to cost as downtime, which decided what came next. */
  predictedDowntimeMs: z.number().min(0),
});
export type MigrationRound = z.infer<typeof MigrationRound>;

/** Downtime from the suspension on the source to the target's permission to run, in its parts. */
export const DowntimeParts = z.strictObject({
  /** Request to suspend until the vCPU stood: at a slice's end, or up to 1.5 ms later where its guest is about to fall asleep. */
  boundaryWaitMs: z.number(),
  lastPagesMs: z.number(),
  /** CPU and device state collected, hashed and sent. */
  stateMs: z.number(),
  /** Until the target had verified what it applied and said ready. */
  verifyMs: z.number(),
  leasePassMs: z.number(),
  /** From the grant until the target's vCPU was let go. */
  resumeMs: z.number(),
});
export type DowntimeParts = z.infer<typeof DowntimeParts>;

/**
 * When things happened, in ms since the migration began on the source; those of the target by the measured offset of its
 * clock. Null: it did not come to that.
 */
export const MigrationMoments = z.strictObject({
  suspendRequestedMs: z.number().nullable(),
  suspendedMs: z.number().nullable(),
  lastPagesSentMs: z.number().nullable(),
  finalSentMs: z.number().nullable(),
  /** At the target. */
  readyMs: z.number().nullable(),
  readyHeardMs: z.number().nullable(),
  /** The commit. */
  passedMs: z.number().nullable(),
  /** At the target. */
  grantedMs: z.number().nullable(),
  resumedMs: z.number().nullable(),
  endedMs: z.number().nullable(),
});
export type MigrationMoments = z.infer<typeof MigrationMoments>;

/** Why pre-copy ended. */
export const PrecopyEnd = z.enum([
  'fits-budget',
  'rounds-stopped-helping',
  'rounds-exhausted',
  /** The rest follows, as the mode says. */
  'post-copy',
]);
export type PrecopyEnd = z.infer<typeof PrecopyEnd>;

/** What followed when the guest ran at the target. */
export const Postcopy = z.strictObject({
  pages: z.int().min(0),
  /** Beside them: did not follow, for the guest had said that it does not need them. */
  freePages: z.int().min(0).default(0),
  /** Of `pages` those that the guest waited for. */
  demandPages: z.int().min(0),
  bytes: z.int().min(0),
  uncompressedBytes: z.int().min(0),
  durationMs: z.number().min(0),
  /** Of the guest for pages, in all and the longest. */
  waitMs: z.number().min(0),
  waitMsMax: z.number().min(0),
});
export type Postcopy = z.infer<typeof Postcopy>;

/** What the target's vCPU thread, which had nothing else to do, did for the guest before it came. */
export const DoneAhead = z.strictObject({
  /** Pages that the host gave their memory before they came. */
  allocatedPages: z.int().min(0),
  /** Pages of code that the guest was using, decoded; those written since once more. */
  decodedPages: z.int().min(0),
  /** Steps of the guest itself, taken while its lease passed; what it said by them was withheld until then. */
  headStartSteps: z.int().min(0).default(0),
});
export type DoneAhead = z.infer<typeof DoneAhead>;

export const MigrationOutcome = z.enum(['committed', 'aborted', 'unknown']);

export const MigrationRecord = z.strictObject({
  operation: OperationId,
  vm: VmId,
  from: HostName,
  to: HostName,
  mode: MigrationMode,
  outcome: MigrationOutcome,
  /** Why it was aborted, or null. */
  reason: z.string().nullable(),
  /** The same for programs, where there is more to say than that it was aborted. */
  code: ErrorCodeSchema.nullable().default(null),
  epochBefore: Epoch,
  epochAfter: Epoch,
  phases: z.strictObject({
    precopyMs: z.number(),
    stopAndCopyMs: z.number(),
    postcopyMs: z.number(),
  }),
  /** Null in records of before there were any. */
  settings: MigrationSettings.nullable().default(null),
  rounds: z.array(MigrationRound),
  precopyEnd: PrecopyEnd.nullable().default(null),
  /** Null where nothing was left to follow. */
  postcopy: Postcopy.nullable().default(null),
  /** Null: the guest did not come to run there, or the record is of before it was told. */
  ahead: DoneAhead.nullable().default(null),
  moments: MigrationMoments.nullable().default(null),
  /** Of the guest's RAM. */
  memoryMib: z.int().min(0).default(0),
  /** Of all rounds, with those that followed; each is of one kind. */
  pages: z.int(),
  zeroPages: z.int(),
  freePages: z.int().default(0),
  deltaPages: z.int().default(0),
  bytes: z.int(),
  uncompressedBytes: z.int().default(0),
  /** The most that the vCPU was slowed. */
  throttlePercentMax: z.number().min(0).max(100).default(0),
  /** To the end: the guest runs at the target with all of its memory. The source's re-hash comes after it. */
  totalMs: z.number(),
  downtimeMs: z.number(),
  downtime: DowntimeParts,
  /** Clock of the target against the source's, from at least 8 round trips, and the bound of its error. */
  clockOffsetMs: z.number(),
  clockOffsetErrorMs: z.number(),
  stateHashSource: StateHash,
  stateHashTarget: StateHash,
  /** The source's full re-hash of its frozen RAM after the commit; a mismatch is an alarm. */
  stateHashSourceFull: StateHash.nullable(),
});
export type MigrationRecord = z.infer<typeof MigrationRecord>;

/** How far the round at work is. */
export const RoundProgress = z.strictObject({
  round: z.int().min(1),
  pages: z.int().min(0),
  /** Of the whole round. */
  pagesTotal: z.int().min(0),
  /** On the wire. */
  bytes: z.int().min(0),
  bandwidthBytesPerS: z.number().min(0),
  /** At the pace so far; null: nothing was sent yet. */
  remainingMs: z.number().min(0).nullable(),
});
export type RoundProgress = z.infer<typeof RoundProgress>;

/** What an observer is told while it runs. */
export const MigrationProgress = z.strictObject({
  operation: OperationId,
  vm: VmId,
  phase: z.enum(['connecting', 'pre-copy', 'stop-and-copy', 'post-copy']),
  round: z.int().min(0),
  pagesSent: z.int().min(0),
  pagesRemaining: z.int().min(0),
  bytes: z.int().min(0),
  throttlePercent: z.number().min(0).max(100).default(0),
  /** The round that ended last. */
  lastRound: MigrationRound.nullable().default(null),
  /** The round that is at work; null: none is. */
  currentRound: RoundProgress.nullable().default(null),
});
export type MigrationProgress = z.infer<typeof MigrationProgress>;
