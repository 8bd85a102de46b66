/** The record of a live migration: every one has all three phases (vocabulary: phases of a live migration). */
import { z } from 'zod';
import { Epoch, HostName, OperationId, StateHash, VmId } from '../ids.ts';

export const MigrationMode = z.enum(['pre-copy']);
export type MigrationMode = z.infer<typeof MigrationMode>;

export const MigrationRound = z.strictObject({
  round: z.int().min(1),
  pages: z.int().min(0),
  zeroPages: z.int().min(0),
  bytes: z.int().min(0),
  durationMs: z.number().min(0),
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
  /** Request to suspend until the vCPU stood at a slice's end. */
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
  epochBefore: Epoch,
  epochAfter: Epoch,
  phases: z.strictObject({
    precopyMs: z.number(),
    stopAndCopyMs: z.number(),
    postcopyMs: z.number(),
  }),
  rounds: z.array(MigrationRound),
  pages: z.int(),
  zeroPages: z.int(),
  bytes: z.int(),
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

/** What an observer is told while it runs. */
export const MigrationProgress = z.strictObject({
  operation: OperationId,
  vm: VmId,
  phase: z.enum(['connecting', 'pre-copy', 'stop-and-copy', 'post-copy']),
  round: z.int().min(0),
  pagesSent: z.int().min(0),
  pagesRemaining: z.int().min(0),
  bytes: z.int().min(0),
});
export type MigrationProgress = z.infer<typeof MigrationProgress>;
