/** Operations: the persisted execution of a decision; and events: what happened, with the reason. */
import { z } from 'zod';
import { ErrorCodeSchema } from '../errors.ts';
import { HostName, Name, OperationId, VmId } from '../ids.ts';
import { MigrationProgress, MigrationRecord, MigrationRound } from './migration.ts';
import { MigrationObservation } from './observation.ts';

export const OperationKind = z.enum(['vm-start', 'vm-stop', 'vm-delete', 'vm-migrate', 'vm-restart']);
export type OperationKind = z.infer<typeof OperationKind>;

/** States only move forward: pending -> running -> succeeded | failed. */
export const OperationState = z.enum(['pending', 'running', 'succeeded', 'failed']);
export type OperationState = z.infer<typeof OperationState>;

export const ProblemSchema = z.strictObject({
  code: ErrorCodeSchema,
  message: z.string().max(4096),
  details: z.record(z.string(), z.unknown()),
});

/** One point of an operation's timeline; `atMs` is Unix time in ms, for people: nothing is ordered by it. */
export const OperationStep = z.strictObject({
  name: z.string().max(100),
  atMs: z.number(),
  detail: z.string().max(500),
});
export type OperationStep = z.infer<typeof OperationStep>;

/** How far a migration is: what its source said last, and all rounds that have ended. */
export const OperationProgress = MigrationProgress.extend({ rounds: z.array(MigrationRound) });
export type OperationProgress = z.infer<typeof OperationProgress>;

/** An operation as the API shows it. */
export const OperationView = z.strictObject({
  id: OperationId,
  kind: OperationKind,
  state: OperationState,
  vm: VmId,
  vmName: Name,
  host: HostName.nullable(),
  targetHost: HostName.nullable(),
  /** Why it exists: a person's request or the rule that made it. */
  reason: z.string(),
  createdAtMs: z.number(),
  endedAtMs: z.number().nullable(),
  timeline: z.array(OperationStep),
  /** What it waits for at present: of a migration its place in the queue, and what stands in the way. */
  waiting: z.string().nullable().default(null),
  progress: OperationProgress.nullable(),
  problem: ProblemSchema.nullable(),
  migration: MigrationRecord.nullable(),
  /** Of that migration, by whoever watched it. */
  observation: MigrationObservation,
});
export type OperationView = z.infer<typeof OperationView>;

export const ClusterEvent = z.strictObject({
  /** Position in the one ordered stream; a cursor to resume from. */
  sequence: z.int().min(1),
  atMs: z.number(),
  type: z.string().max(100),
  /** `vm/web1`, `host/h1`, `operation/op-...`. */
  subject: z.string().max(200),
  message: z.string().max(1000),
  details: z.record(z.string(), z.unknown()),
});
export type ClusterEvent = z.infer<typeof ClusterEvent>;
