/** A record as both sides of a migration report it; figures are of no interest to the coordinator. */
import { type MigrationRecord, migrationSettingsDefaults } from '@skein/shared';

type Given = Pick<
  MigrationRecord,
  'operation' | 'vm' | 'from' | 'to' | 'outcome' | 'epochBefore' | 'epochAfter'
>;

export function migrationRecord(given: Given & Partial<MigrationRecord>): MigrationRecord {
  const hash = '0123456789abcdef';
  return {
    mode: 'pre-copy',
    reason: null,
    code: null,
    phases: { precopyMs: 1, stopAndCopyMs: 1, postcopyMs: 1 },
    settings: migrationSettingsDefaults,
    rounds: [],
    precopyEnd: 'fits-budget',
    ahead: null,
    postcopy: null,
    moments: null,
    memoryMib: 128,
    pages: 0,
    zeroPages: 0,
    freePages: 0,
    deltaPages: 0,
    bytes: 0,
    uncompressedBytes: 0,
    throttlePercentMax: 0,
    totalMs: 3,
    downtimeMs: 1,
    downtime: { boundaryWaitMs: 0, lastPagesMs: 0, stateMs: 0, verifyMs: 0, leasePassMs: 0, resumeMs: 0 },
    clockOffsetMs: 0,
    clockOffsetErrorMs: 0,
    stateHashSource: hash,
    stateHashTarget: hash,
    stateHashSourceFull: hash,
    ...given,
  };
}
