/** The record as a migration's target has it: its source's, and where that tells none: who, whereto, how it ended. */
import type { MigrationRecord, migrationProtocol, TargetTimes } from '@skein/shared';
import type { Link } from '@skein/transport';
import type { ClockOffset } from '../core/clock-offset.ts';
import { formatStateHash } from './page-hashes.ts';
import type { TargetAssignment } from './transfer-channel.ts';

type Told = Pick<
  MigrationRecord,
  'mode' | 'outcome' | 'reason' | 'code' | 'epochAfter' | 'totalMs' | 'ahead'
>;

export interface TargetStory extends Told {
  readonly offset: ClockOffset;
  /** As the source said it; null: it did not come to that. */
  readonly stateHashSource: string | null;
  readonly stateHash: bigint;
}

export function targetRecord(
  { command, host, memoryMib }: TargetAssignment,
  { offset, stateHash, stateHashSource, ...told }: TargetStory,
): MigrationRecord {
  return {
    operation: command.operation,
    vm: command.vm,
    from: command.sourceHost,
    to: host,
    epochBefore: command.epoch,
    ...told,
    phases: { precopyMs: 0, stopAndCopyMs: 0, postcopyMs: 0 },
    settings: null,
    rounds: [],
    precopyEnd: null,
    postcopy: null,
    moments: null,
    memoryMib,
    pages: 0,
    zeroPages: 0,
    freePages: 0,
    deltaPages: 0,
    bytes: 0,
    uncompressedBytes: 0,
    throttlePercentMax: 0,
    downtimeMs: 0,
    downtime: { boundaryWaitMs: 0, lastPagesMs: 0, stateMs: 0, verifyMs: 0, leasePassMs: 0, resumeMs: 0 },
    clockOffsetMs: Number(offset.offsetNs) / 1e6,
    clockOffsetErrorMs: Number(offset.errorNs) / 1e6,
    stateHashSource: stateHashSource ?? formatStateHash(0n),
    stateHashTarget: formatStateHash(stateHash),
    stateHashSourceFull: null,
  };
}

const recordDeadlineMs = 10_000;

/** The source's, with everything in it; null if the source is gone, or tells that of another migration. */
export async function askRecord(
  link: Link<typeof migrationProtocol, 'dialer'> | null,
  times: TargetTimes,
  assignment: TargetAssignment,
): Promise<MigrationRecord | null> {
  const reply = await link
    ?.request('migration.resumed', times, { deadlineMs: recordDeadlineMs })
    .catch(() => null);
  if (reply === null || reply === undefined) return null;
  return isRecordOf(reply.record, assignment) ? reply.record : null;
}

/** Whether what the source tells at the end is of this migration: the coordinator takes our word for it. */
function isRecordOf(record: MigrationRecord, { command, host }: TargetAssignment): boolean {
  return (
    record.operation === command.operation &&
    record.vm === command.vm &&
    record.from === command.sourceHost &&
    record.to === host &&
    record.outcome === 'committed' &&
    record.reason === null &&
    record.epochBefore === command.epoch &&
    record.epochAfter === command.epoch + 1
  );
}
