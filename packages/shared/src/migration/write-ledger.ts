/** A record becomes a ledger: the same record, the same lines. */
import { pageBytes } from '../frame/page.ts';
import type { MigrationMoments, MigrationRecord, MigrationRound } from '../model/migration.ts';
import { type MigrationObservation, ObservedClock } from '../model/observation.ts';
import { type LedgerLine, type LedgerRound, ledgerVersion } from './ledger.ts';

/** The lines in the order in which they stand in a ledger. */
export function ledgerLines(
  record: MigrationRecord,
  observation: MigrationObservation,
): readonly LedgerLine[] {
  return [
    begin(record),
    ...record.rounds.map((round, index) => roundLine(record, round, index)),
    {
      event: 'clock',
      source: record.from,
      target: record.to,
      'offset-ms': record.clockOffsetMs,
      'error-ms': record.clockOffsetErrorMs,
    },
    ...momentLines(record),
    ...phaseLines(record),
    ...downtimeLines(record, observation),
    ...observationLines(observation),
    ...aheadLines(record),
    ...postcopyLines(record),
    end(record),
  ];
}

/** A JSON object a line. */
export function formatLedger(lines: readonly LedgerLine[]): string {
  return lines.map((line) => `${JSON.stringify(line)}\n`).join('');
}

/** Where the rounds of a suspended guest begin; the number of rounds where it was never suspended. */
export function firstStoppedRound({ rounds, moments, outcome }: MigrationRecord): number {
  if (moments === null) return outcome === 'committed' ? rounds.length - 1 : rounds.length;
  const { suspendRequestedMs } = moments;
  if (suspendRequestedMs === null) return rounds.length;
  const index = rounds.findIndex(({ startedMs }) => startedMs >= suspendRequestedMs);
  return index < 0 ? rounds.length : index;
}

function begin(record: MigrationRecord): LedgerLine {
  const { operation, vm, from, to, mode, epochBefore, settings, memoryMib } = record;
  return {
    event: 'begin',
    ledger: ledgerVersion,
    operation,
    vm,
    from,
    to,
    mode,
    epoch: epochBefore,
    settings,
    ram: { total: memoryMib * 2 ** 20, 'page-size': pageBytes },
  };
}

function roundLine(record: MigrationRecord, round: MigrationRound, index: number): LedgerRound {
  const stopped = firstStoppedRound(record);
  const isStopped = index >= stopped;
  const isLast = index === stopped - 1;
  const isTested = isLast && record.outcome === 'committed' && record.postcopy === null;
  return {
    event: 'round',
    phase: isStopped ? 'stop-and-copy' : 'pre-copy',
    round: round.round,
    'start-ms': round.startedMs,
    'duration-ms': round.durationMs,
    ram: {
      transferred: round.bytes,
      duplicate: round.zeroPages,
      normal: normalPages(round),
      remaining: round.remainingPages * pageBytes,
      'dirty-pages-rate': round.dirtyPagesPerS,
      mbps: megabits(round.bytes, round.durationMs),
    },
    'xbzrle-cache': { pages: round.deltaPages },
    'free-pages': round.freePages,
    'rewritten-pages': round.rewrittenPages,
    'uncompressed-bytes': round.uncompressedBytes,
    'cpu-throttle-percentage': round.throttlePercent,
    'expected-downtime': isStopped ? null : round.predictedDowntimeMs,
    outcome: isTested
      ? {
          downtime: record.downtimeMs,
          'expected-downtime-error': record.downtimeMs - round.predictedDowntimeMs,
        }
      : null,
  };
}

/** These are taken on the target's clock. */
const targetMoments: ReadonlySet<keyof MigrationMoments> = new Set(['readyMs', 'grantedMs', 'resumedMs']);

function momentLines(record: MigrationRecord): readonly LedgerLine[] {
  const { moments, from, to, clockOffsetErrorMs } = record;
  if (moments === null) return [];
  return Object.entries(moments).flatMap(([name, atMs]): LedgerLine[] => {
    const moment = name as keyof MigrationMoments;
    if (atMs === null) return [];
    const isTargets = targetMoments.has(moment);
    return [
      {
        event: 'moment',
        moment,
        host: isTargets ? to : from,
        'at-ms': atMs,
        'error-ms': isTargets ? clockOffsetErrorMs : 0,
      },
    ];
  });
}

/** All three always: one that it did not come to has no length. They begin and end at moments of the source. */
function phaseLines({ phases }: MigrationRecord): readonly LedgerLine[] {
  const stopMs = phases.precopyMs;
  const commitMs = stopMs + phases.stopAndCopyMs;
  const spans = [
    ['pre-copy', 0, phases.precopyMs],
    ['stop-and-copy', stopMs, phases.stopAndCopyMs],
    ['post-copy', commitMs, phases.postcopyMs],
  ] as const;
  return spans.map(([phase, startMs, durationMs]) => ({
    event: 'phase',
    phase,
    'start-ms': startMs,
    'end-ms': startMs + durationMs,
    'duration-ms': durationMs,
    'error-ms': 0,
  }));
}

/** None where the guest never stood, or no host can tell for how long. */
function downtimeLines(
  record: MigrationRecord,
  { guest, network }: MigrationObservation,
): readonly LedgerLine[] {
  if (record.downtimeMs === 0) return [];
  return [
    {
      event: 'downtime',
      downtime: record.downtimeMs,
      // From a moment of the source to one of the target.
      'error-ms': record.clockOffsetErrorMs,
      parts: record.downtime,
      clocks: {
        hypervisor: record.downtimeMs,
        guest: guest?.gapMs ?? null,
        network: network?.gapMs ?? null,
      },
    },
  ];
}

function observationLines(observation: MigrationObservation): readonly LedgerLine[] {
  return ObservedClock.options.flatMap((clock): LedgerLine[] => {
    const observed = observation[clock];
    if (observed === null) return [];
    return [
      {
        event: 'observation',
        clock,
        'gap-ms': observed.gapMs,
        'has-ended': observed.hasEnded,
        'window-ms': observed.windowMs,
        readings: observed.readings,
        lost: observed.lost,
        'control-gap-ms': observed.controlGapMs,
        'control-window-ms': observed.controlWindowMs,
      },
    ];
  });
}

function aheadLines({ ahead }: MigrationRecord): readonly LedgerLine[] {
  if (ahead === null) return [];
  return [
    {
      event: 'ahead',
      'allocated-pages': ahead.allocatedPages,
      'decoded-pages': ahead.decodedPages,
      'head-start-steps': ahead.headStartSteps,
    },
  ];
}

function postcopyLines({ postcopy }: MigrationRecord): readonly LedgerLine[] {
  if (postcopy === null) return [];
  return [
    {
      event: 'post-copy',
      pages: postcopy.pages,
      'free-pages': postcopy.freePages,
      'duration-ms': postcopy.durationMs,
      ram: { 'postcopy-requests': postcopy.demandPages, 'postcopy-bytes': postcopy.bytes },
      'uncompressed-bytes': postcopy.uncompressedBytes,
      'postcopy-blocktime': postcopy.waitMs,
      'postcopy-blocktime-max': postcopy.waitMsMax,
    },
  ];
}

function end(record: MigrationRecord): LedgerLine {
  const stopped = firstStoppedRound(record);
  const bytesOf = (rounds: readonly MigrationRound[]): number =>
    rounds.reduce((sum, { bytes }) => sum + bytes, 0);
  const copyMs = record.rounds.reduce((sum, { durationMs }) => sum + durationMs, 0);
  return {
    event: 'end',
    outcome: record.outcome,
    reason: record.reason,
    'precopy-end': record.precopyEnd,
    'setup-time': record.rounds[0]?.startedMs ?? 0,
    'total-time': record.totalMs,
    downtime: record.downtimeMs,
    ram: {
      transferred: record.bytes,
      duplicate: record.zeroPages,
      normal: normalPages(record),
      mbps: megabits(record.bytes, copyMs),
      'dirty-sync-count': record.rounds.length,
      'precopy-bytes': bytesOf(record.rounds.slice(0, stopped)),
      'downtime-bytes': bytesOf(record.rounds.slice(stopped)),
    },
    'xbzrle-cache': { pages: record.deltaPages },
    'free-pages': record.freePages,
    'uncompressed-bytes': record.uncompressedBytes,
    'cpu-throttle-percentage': record.throttlePercentMax,
    epoch: record.epochAfter,
    hashes: {
      source: record.stateHashSource,
      target: record.stateHashTarget,
      'source-full': record.stateHashSourceFull,
    },
  };
}

/** Sent as they are. */
function normalPages(sent: {
  readonly pages: number;
  readonly zeroPages: number;
  readonly freePages: number;
  readonly deltaPages: number;
}): number {
  return Math.max(0, sent.pages - sent.zeroPages - sent.freePages - sent.deltaPages);
}

/** Millions of bits a second, as QEMU's `mbps`. */
function megabits(bytes: number, durationMs: number): number {
  return durationMs > 0 ? (bytes * 8) / (durationMs * 1000) : 0;
}
