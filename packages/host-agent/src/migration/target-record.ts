/** The record of a migration as its target alone knows it: of one that was given up, or whose source is gone. */
import type { MigrationRecord } from '@skein/shared';
import type { ClockOffset } from '../core/clock-offset.ts';
import { formatStateHash } from './page-hashes.ts';
import type { TargetAssignment } from './transfer-channel.ts';

export interface KnownToTarget {
  readonly mode: MigrationRecord['mode'];
  readonly reason: string | null;
  readonly startedNs: bigint;
  readonly offset: ClockOffset;
  readonly stateHashSource: MigrationRecord['stateHashSource'] | null;
  readonly stateHash: bigint;
}

export function targetRecord(
  { command, host, memoryMib }: TargetAssignment,
  { mode, reason, startedNs, offset, stateHashSource, stateHash }: KnownToTarget,
): MigrationRecord {
  return {
    operation: command.operation,
    vm: command.vm,
    from: command.sourceHost,
    to: host,
    mode,
    outcome: 'aborted',
    reason,
    epochBefore: command.epoch,
    epochAfter: command.epoch,
    phases: { precopyMs: 0, stopAndCopyMs: 0, postcopyMs: 0 },
    settings: null,
    rounds: [],
    precopyEnd: null,
    postcopy: null,
    moments: null,
    memoryMib,
    pages: 0,
    zeroPages: 0,
    deltaPages: 0,
    bytes: 0,
    uncompressedBytes: 0,
    throttlePercentMax: 0,
    totalMs: Number(process.hrtime.bigint() - startedNs) / 1e6,
    downtimeMs: 0,
    downtime: { boundaryWaitMs: 0, lastPagesMs: 0, stateMs: 0, verifyMs: 0, leasePassMs: 0, resumeMs: 0 },
    clockOffsetMs: Number(offset.offsetNs) / 1e6,
    clockOffsetErrorMs: Number(offset.errorNs) / 1e6,
    stateHashSource: stateHashSource ?? formatStateHash(0n),
    stateHashTarget: formatStateHash(stateHash),
    stateHashSourceFull: null,
  };
}
