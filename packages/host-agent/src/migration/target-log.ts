/** The record as a migration's target has it: its source's, and where that tells none: who, whereto, how it ended. */
import type {
  DoneAhead,
  MigrationFinal,
  MigrationRecord,
  migrationProtocol,
  TargetTimes,
} from '@skein/shared';
import type { Link } from '@skein/transport';
import type { ClockOffset } from '../core/clock-offset.ts';
import { formatStateHash } from './page-hashes.ts';
import type { TargetAssignment } from './transfer-channel.ts';

/** What a target learns in the course of a migration and tells of it. */
export class TargetLog {
  readonly #assignment: TargetAssignment;
  readonly #startedNs = process.hrtime.bigint();
  offset: ClockOffset = { offsetNs: 0n, errorNs: 0n };
  /** As the source said it; null: it did not come to that. */
  final: MigrationFinal | null = null;
  /** Of what was applied; 0n before everything was. */
  stateHash = 0n;
  readyAtNs = 0n;
  /** Null: the source did not say so, the lease was read. */
  grantedAtNs: bigint | null = null;
  /** Null until the guest runs here. */
  ahead: DoneAhead | null = null;

  constructor(assignment: TargetAssignment) {
    this.#assignment = assignment;
  }

  /** Of a guest that was let go at `resumedAtNs`, and has all of its memory. */
  times(resumedAtNs: bigint, ahead: DoneAhead, waits: TargetTimes['waits']): TargetTimes {
    return {
      readyAtNs: this.readyAtNs,
      grantedAtNs: this.grantedAtNs ?? resumedAtNs,
      resumedAtNs,
      clockOffsetNs: this.offset.offsetNs,
      clockOffsetErrorNs: this.offset.errorNs,
      stateHashTarget: formatStateHash(this.stateHash),
      ahead,
      waits,
    };
  }

  /** Where the source tells none. */
  record(told: Told): MigrationRecord {
    const { command, host, memoryMib } = this.#assignment;
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
      ahead: this.ahead,
      moments: null,
      memoryMib,
      pages: 0,
      zeroPages: 0,
      freePages: 0,
      deltaPages: 0,
      bytes: 0,
      uncompressedBytes: 0,
      throttlePercentMax: 0,
      totalMs: Number(process.hrtime.bigint() - this.#startedNs) / 1e6,
      downtimeMs: 0,
      downtime: { boundaryWaitMs: 0, lastPagesMs: 0, stateMs: 0, verifyMs: 0, leasePassMs: 0, resumeMs: 0 },
      clockOffsetMs: Number(this.offset.offsetNs) / 1e6,
      clockOffsetErrorMs: Number(this.offset.errorNs) / 1e6,
      stateHashSource: this.final?.stateHash ?? formatStateHash(0n),
      stateHashTarget: formatStateHash(this.stateHash),
      stateHashSourceFull: null,
    };
  }
}

/** What the log does not know. */
export type Told = Pick<MigrationRecord, 'mode' | 'outcome' | 'reason' | 'code' | 'epochAfter'>;

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
