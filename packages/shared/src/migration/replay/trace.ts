/**
 * What a ledger tells of the guest and of the link, apart from what was decided at the time: how much there was to copy,
 * how fast it got dirty, what a page cost on the wire, how fast the wire was. Replays go by that. Where a ledger does not
 * tell something, what is taken for it is among the assumptions.
 */
import { pageBytes } from '../../frame/page.ts';
import { type MigrationSettings, migrationSettingsDefaults } from '../../model/migration.ts';
import type { LedgerRound } from '../ledger.ts';
import type { Ledger } from '../read-ledger.ts';

/** From this moment on, until the next one's, the guest at full speed dirtied so many pages a second. */
export interface DirtyRate {
  readonly fromMs: number;
  readonly pagesPerS: number;
}

export interface Trace {
  readonly settings: MigrationSettings;
  readonly setupMs: number;
  readonly firstRound: PageCounts;
  /** Pages that the guest writes again and again: what gets dirty in a long round is no more. */
  readonly workingSetPages: number;
  /** At least one. */
  readonly dirtyRates: readonly DirtyRate[];
  /** Of the pages of later rounds. */
  readonly zeroRatio: number;
  /** Of the pages of later rounds that are not zero; null: the ledger has none. */
  readonly deltaRatio: number | null;
  /** Before compression. */
  readonly wholePageBytes: number;
  readonly deltaPageBytes: number;
  /** On the wire for each byte before compression; null: nothing was compressed. */
  readonly compressedRatios: { readonly first: number; readonly later: number } | null;
  readonly firstBandwidthBytesPerS: number;
  readonly laterBandwidthBytesPerS: number;
  /** Of the downtime, beside the last pages: as it was predicted, and as it came out. */
  readonly fixedDowntimeMs: { readonly predicted: number; readonly measured: number };
  /** Beside pages that followed. */
  readonly afterCommitMs: number;
}

interface PageCounts {
  readonly pages: number;
  readonly zeroPages: number;
  readonly freePages: number;
}

/** A round that left so much of the working set says only the least that the guest dirties. */
const saturatedRatio = 0.9;
/** Where the ledger has neither an outcome nor a prediction: what records on two cores show. */
const usualFixedDowntimeMs = 4;

/** Null where no round ended: there is nothing to go by. */
export function traceOf({ begin, rounds, phases, downtime, postcopy, end }: Ledger): Trace | null {
  const copied = rounds.filter(({ phase }) => phase === 'pre-copy');
  const [first, ...later] = copied;
  if (first === undefined) return null;
  const predicted = predictedFixedMs(copied) ?? usualFixedDowntimeMs;
  const afterMs = phases.find(({ phase }) => phase === 'post-copy')?.['duration-ms'] ?? 0;
  return {
    settings: begin.settings ?? { ...migrationSettingsDefaults, mode: begin.mode },
    setupMs: end['setup-time'],
    firstRound: {
      // Those that were left out had been written as well.
      pages: pagesOf(first) + first['rewritten-pages'],
      zeroPages: first.ram.duplicate,
      freePages: first['free-pages'],
    },
    ...dirtyingOf(copied),
    ...contentsOf(rounds),
    firstBandwidthBytesPerS: bandwidthOf([first]),
    laterBandwidthBytesPerS: bandwidthOf(later.length > 0 ? later : [first]),
    fixedDowntimeMs: {
      predicted,
      measured: downtime === null ? predicted : Math.max(0, downtime.downtime - downtime.parts.lastPagesMs),
    },
    afterCommitMs: Math.max(0, afterMs - (postcopy?.['duration-ms'] ?? 0)),
  };
}

function dirtyingOf(copied: readonly LedgerRound[]): Pick<Trace, 'workingSetPages' | 'dirtyRates'> {
  const remaining = copied.map(({ ram }) => ram.remaining / pageBytes);
  const workingSetPages = Math.max(...remaining);
  const rates = copied.map((round) => fullSpeedRate(round));
  const ratesMax = Math.max(...rates);
  const dirtyRates = copied.map((round, index): DirtyRate => {
    const isSaturated = (remaining[index] ?? 0) >= saturatedRatio * workingSetPages;
    return { fromMs: round['start-ms'], pagesPerS: isSaturated ? ratesMax : (rates[index] ?? 0) };
  });
  return { workingSetPages, dirtyRates };
}

/** What a slowed guest dirtied, as if it had not been slowed. */
function fullSpeedRate(round: LedgerRound): number {
  return round.ram['dirty-pages-rate'] / Math.max(0.01, 1 - round['cpu-throttle-percentage'] / 100);
}

type Contents = Pick<
  Trace,
  'zeroRatio' | 'deltaRatio' | 'wholePageBytes' | 'deltaPageBytes' | 'compressedRatios'
>;

function contentsOf(rounds: readonly LedgerRound[]): Contents {
  const later = rounds.slice(1);
  const laterPages = sum(later, pagesOf);
  const laterZero = sum(later, (round) => round.ram.duplicate + round['free-pages']);
  const deltas = sum(rounds, ({ 'xbzrle-cache': { pages } }) => pages);
  const normal = sum(rounds, ({ ram }) => ram.normal);
  const before = sum(rounds, bytesBefore);
  // Rounds without deltas tell what a whole page costs; what deltas cost is the rest.
  const plain = rounds.filter((round) => round['xbzrle-cache'].pages === 0 && round.ram.normal > 0);
  const plainNormal = sum(plain, ({ ram }) => ram.normal);
  const plainBytes = sum(plain, bytesBefore);
  const wholePageBytes = plainNormal === 0 ? pageBytes : Math.max(pageBytes, plainBytes / plainNormal);
  const ratios = { first: compressedRatio(rounds.slice(0, 1)), later: compressedRatio(later) };
  return {
    zeroRatio: laterPages === 0 ? 0 : laterZero / laterPages,
    deltaRatio: deltas === 0 ? null : deltas / Math.max(1, laterPages - laterZero),
    wholePageBytes,
    deltaPageBytes:
      deltas === 0
        ? wholePageBytes
        : Math.min(wholePageBytes, Math.max(0, (before - normal * wholePageBytes) / deltas)),
    compressedRatios: ratios.first === 1 && ratios.later === 1 ? null : ratios,
  };
}

/** Before compression; records of before there was any have no such figure. */
function bytesBefore(round: LedgerRound): number {
  return Math.max(round['uncompressed-bytes'], round.ram.transferred);
}

function compressedRatio(rounds: readonly LedgerRound[]): number {
  const before = sum(rounds, bytesBefore);
  return before === 0 ? 1 : sum(rounds, ({ ram }) => ram.transferred) / before;
}

/** A prediction is a fixed part and what is left at the bandwidth over all rounds so far: all but the fixed part is known. */
function predictedFixedMs(copied: readonly LedgerRound[]): number | null {
  const last = copied.at(-1);
  const expectedMs = last?.['expected-downtime'] ?? null;
  if (last === undefined || expectedMs === null) return null;
  const bytes = sum(copied, ({ ram }) => ram.transferred);
  const durationMs = sum(copied, (round) => round['duration-ms']);
  if (bytes === 0 || durationMs === 0) return null;
  const fixedMs = expectedMs - last.ram.remaining / (bytes / durationMs);
  return fixedMs >= 0 && fixedMs <= expectedMs ? fixedMs : null;
}

function bandwidthOf(rounds: readonly LedgerRound[]): number {
  const durationMs = sum(rounds, (round) => round['duration-ms']);
  return durationMs === 0 ? 0 : (sum(rounds, ({ ram }) => ram.transferred) / durationMs) * 1000;
}

export function pagesOf({ ram, 'xbzrle-cache': { pages }, 'free-pages': free }: LedgerRound): number {
  return ram.duplicate + free + ram.normal + pages;
}

function sum<T>(items: readonly T[], pick: (item: T) => number): number {
  return items.reduce((total, item) => total + pick(item), 0);
}
