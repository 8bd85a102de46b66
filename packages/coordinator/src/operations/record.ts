/**
 * An operation as it is kept: what the API shows plus the step it stands at and what its steps need. Every change is
 * persisted before the next effect, so that a killed coordinator goes on where it stood.
 */
import {
  Epoch,
  HostName,
  MigrationObservation,
  MigrationRecord,
  MigrationSettings,
  nothingObserved,
  OperationView,
  ProblemSchema,
} from '@skein/shared';
import { z } from 'zod';

/** Steps of all kinds; which follow which stands beside each kind. */
export const OperationStepName = z.enum([
  /** Reads the VM's lease for the epoch to expect. */
  'lease',
  /** Tells the agent to start it. */
  'start',
  /** Chooses another host, for the first one refused. */
  'place',
  /** Waits until the guest runs. */
  'watch-start',
  /** A restart's timeline ends when the guest says that it is ready. */
  'watch-ready',
  'stop',
  'watch-stop',
  'remove',
  /** Waits until hosts and cluster have a place for one more migration. */
  'queue',
  'source',
  'target',
  'watch-migration',
  /** It runs on the target; the source's full record is on its way. */
  'watch-record',
  /** Calls the migration off at both sides. */
  'cancel',
  /** The source goes on: its target need not wait for the lease. */
  'release-target',
  /** Both sides are gone or silent: the lease says what happened. */
  'resolve',
  'ended',
]);
export type OperationStepName = z.infer<typeof OperationStepName>;

export const OperationRecord = OperationView.omit({ progress: true, waiting: true }).extend({
  step: OperationStepName,
  /** A person named the host: no other will do. */
  isPinned: z.boolean(),
  /** The lease's epoch before a start; the VM's epoch before a migration. */
  expectEpoch: Epoch,
  /** The epoch it got. */
  epoch: Epoch.nullable(),
  attempts: z.int().min(0),
  /** Of a migration. */
  settings: MigrationSettings.nullable(),
  /** Where the source of a migration listens. */
  source: z.strictObject({ address: z.string(), port: z.int() }).nullable(),
  /** What each side reported. */
  ended: z.strictObject({ source: MigrationRecord.nullable(), target: MigrationRecord.nullable() }),
  /** Why a migration is called off. */
  cancelProblem: ProblemSchema.nullable(),
  /** Both sides of it were told so. */
  isCalledOff: z.boolean().default(false),
  formerHost: HostName.nullable(),
  /** Operations of before there were any have none. */
  observation: MigrationObservation.default(nothingObserved),
});
export type OperationRecord = z.infer<typeof OperationRecord>;

export function isEnded(record: Pick<OperationRecord, 'state'>): boolean {
  return record.state === 'succeeded' || record.state === 'failed';
}

/** A migration of which nothing has begun. */
export function isWaitingForTurn(record: Pick<OperationRecord, 'step'>): boolean {
  return record.step === 'queue';
}

/** What the API shows. Progress, and what it waits for, are added by who knows them. */
export function toView(record: OperationRecord): Omit<OperationView, 'progress' | 'waiting'> {
  const { id, kind, state, vm, vmName, host, targetHost, reason } = record;
  const { createdAtMs, endedAtMs, timeline, problem, migration, observation } = record;
  return {
    id,
    kind,
    state,
    vm,
    vmName,
    host,
    targetHost,
    reason,
    createdAtMs,
    endedAtMs,
    timeline,
    problem,
    migration,
    observation,
  };
}
