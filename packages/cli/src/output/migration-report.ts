/** The record of a live migration for people: how it was asked for, its figures, its phases, its downtime in parts. */
import type {
  DoneAhead,
  MigrationMoments,
  MigrationObservation,
  MigrationRecord,
  MigrationSettings,
  OperationProgress,
  Postcopy,
  PrecopyEnd,
} from '@skein/shared';
import { formatRate } from '../bed/rate.ts';
import { formatDuration } from './duration.ts';
import { formatMs, formatSize } from './figures.ts';
import { roundColumns, roundSentence } from './migration-rounds.ts';
import { gapSentence } from './observed-gap.ts';
import { formatTable } from './table.ts';

/** The whole record, and what an observer added to it. */
export function formatMigration(record: MigrationRecord, observation: MigrationObservation): string {
  const table = formatTable(roundColumns, record.rounds, false).trimEnd();
  return [
    ...summaryLines(record, observation),
    ...(record.moments === null ? [] : [field('moments', momentsOf(record.moments))]),
    table,
  ].join('\n');
}

/** For whoever has seen the rounds already. */
export function formatMigrationSummary(record: MigrationRecord, observation: MigrationObservation): string {
  return summaryLines(record, observation).join('\n');
}

/** How far one is that runs. */
export function formatMigrationProgress(progress: OperationProgress): string {
  const { phase, round, pagesSent, pagesRemaining, throttlePercent, rounds } = progress;
  const slowed = throttlePercent === 0 ? '' : `; the vCPU is slowed by ${throttlePercent} %`;
  const sentence = `${phase}, round ${round}: ${pagesSent} pages sent, ${pagesRemaining} remaining${slowed}`;
  const current = progress.currentRound === null ? [] : [roundSentence(progress.currentRound)];
  return [sentence, ...current, formatTable(roundColumns, rounds, false)].join('\n');
}

function summaryLines(record: MigrationRecord, observation: MigrationObservation): readonly string[] {
  const { phases, settings } = record;
  return [
    `${record.from} -> ${record.to}, ${record.mode}, ${record.outcome}${record.reason === null ? '' : `: ${record.reason}`}`,
    ...(settings === null ? [] : [field('asked for', settingsOf(settings))]),
    field(
      'phases',
      `pre-copy ${formatMs(phases.precopyMs)}, stop-and-copy ${formatMs(phases.stopAndCopyMs)}, post-copy ${formatMs(phases.postcopyMs)}, in all ${formatMs(record.totalMs)}`,
    ),
    field('moved', movedOf(record)),
    ...(record.precopyEnd === null ? [] : [field('stopped', whyPrecopyEnded(record.precopyEnd))]),
    field('slowed', slowedOf(record)),
    ...(record.postcopy === null ? [] : [field('followed', followedOf(record.postcopy))]),
    ...(record.ahead === null ? [] : [field('ahead', aheadOf(record.ahead))]),
    field('downtime', downtimeOf(record)),
    ...observedLines(observation),
    field('hashes', hashesOf(record)),
    field(
      'clocks',
      `target ${formatMs(record.clockOffsetMs)} off the source, known to ${formatMs(record.clockOffsetErrorMs)}; epoch ${record.epochBefore} -> ${record.epochAfter}`,
    ),
  ];
}

/** What the target did before the guest came. */
export function aheadOf({ allocatedPages, decodedPages, headStartSteps }: DoneAhead): string {
  const before = `at the target ${allocatedPages} pages had their memory, and ${decodedPages} pages of code were decoded, before the guest came`;
  return headStartSteps === 0 ? before : `${before}; it took ${headStartSteps} steps while its lease passed`;
}

/** What ended the pre-copy, as a sentence about the guest. */
export function whyPrecopyEnded(end: PrecopyEnd): string {
  const sentences: Readonly<Record<PrecopyEnd, string>> = {
    'fits-budget': 'what was left fitted the downtime budget',
    'rounds-stopped-helping': 'rounds stopped helping: each left about as much as the one before',
    'rounds-exhausted': 'the rounds were used up',
    'post-copy': 'nothing was to be copied before',
  };
  return sentences[end];
}

/** Every setting, in words. */
export function settingsOf(settings: MigrationSettings): string {
  const { downtimeBudgetMs, deadlineMs, bandwidthCapBytesPerS: cap } = settings;
  return [
    settings.mode,
    `downtime ${formatMs(downtimeBudgetMs)}`,
    `deadline ${formatDuration(deadlineMs)}`,
    `without convergence ${settings.onNoConvergence}`,
    `auto-converge ${settings.autoConverge ? 'on' : 'off'}`,
    `bandwidth ${cap === null ? 'without a cap' : `at most ${formatRate(cap * 8)}`}`,
    `compression ${settings.compression}`,
    `deltas ${settings.deltas ? 'on' : 'off'}`,
  ].join(', ');
}

function movedOf(record: MigrationRecord): string {
  const { pages, freePages, zeroPages, deltaPages, bytes, uncompressedBytes, memoryMib } = record;
  const memory = memoryMib === 0 ? '' : ` of ${memoryMib} MiB`;
  const kinds = `${freePages} of them free, ${zeroPages} zero, ${deltaPages} as deltas`;
  const saved =
    uncompressedBytes > bytes
      ? `, compressed to ${((bytes / uncompressedBytes) * 100).toFixed(1)} % of ${formatSize(uncompressedBytes)}`
      : ', nothing compressed';
  return `${pages} pages${memory}, ${kinds}; ${formatSize(bytes)} on the wire in ${record.rounds.length} rounds${saved}`;
}

function slowedOf({ throttlePercentMax }: MigrationRecord): string {
  return throttlePercentMax === 0
    ? 'the vCPU was not slowed'
    : `the vCPU by up to ${throttlePercentMax} % while pages were copied`;
}

/** What came when the guest ran at the target, and how long it waited for that. */
export function followedOf({ pages, demandPages, bytes, durationMs, waitMs, waitMsMax }: Postcopy): string {
  return `${pages} pages when the guest ran at the target, ${formatSize(bytes)} in ${formatMs(durationMs)}; it waited for ${demandPages} of them, ${formatMs(waitMs)} in all, ${formatMs(waitMsMax)} at most`;
}

function downtimeOf({ downtime, downtimeMs }: MigrationRecord): string {
  const { lastPagesMs, stateMs, verifyMs, leasePassMs, resumeMs, boundaryWaitMs } = downtime;
  return `${formatMs(downtimeMs)} = last pages ${formatMs(lastPagesMs)} + state ${formatMs(stateMs)} + verify ${formatMs(verifyMs)} + lease ${formatMs(leasePassMs)} + resume ${formatMs(resumeMs)}; before it ${formatMs(boundaryWaitMs)} to a boundary`;
}

/** What others than the hypervisor saw of the downtime. */
export function observedLines({ guest, network }: MigrationObservation): readonly string[] {
  return [
    ...(guest === null ? [] : [field('guest', gapSentence('guest', guest))]),
    ...(network === null ? [] : [field('network', gapSentence('network', network))]),
  ];
}

function hashesOf(record: MigrationRecord): string {
  const isEqual = record.stateHashSource === record.stateHashTarget;
  return `source ${record.stateHashSource}, target ${record.stateHashTarget} (${isEqual ? 'equal' : 'DIFFERENT'}), source again in full ${record.stateHashSourceFull ?? 'not yet'}`;
}

const momentNames: readonly (readonly [keyof MigrationMoments, string])[] = [
  ['suspendRequestedMs', 'suspend asked for'],
  ['suspendedMs', 'suspended'],
  ['lastPagesSentMs', 'last pages sent'],
  ['finalSentMs', 'state sent'],
  ['readyMs', 'target ready'],
  ['readyHeardMs', 'heard so'],
  ['passedMs', 'lease passed'],
  ['grantedMs', 'target granted'],
  ['resumedMs', 'resumed'],
  ['endedMs', 'ended'],
];

function momentsOf(moments: MigrationMoments): string {
  const reached = momentNames.flatMap(([key, name]) => {
    const atMs = moments[key];
    // They are fractions of a millisecond apart, and far from the beginning.
    return atMs === null ? [] : [`${name} +${atMs.toFixed(2)} ms`];
  });
  return reached.length === 0 ? 'the guest was never suspended' : reached.join(', ');
}

const nameWidth = 9;

function field(name: string, text: string): string {
  return `${name.padEnd(nameWidth)} ${text}`;
}
