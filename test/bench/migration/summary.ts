/** What is published of a cell's runs: medians of those that moved, and how many did what. */
import { median } from '../statistics.ts';
import type { Figures, Run } from './run.ts';
import type { Sleep } from './sleeping.ts';

export type FigureName = keyof Figures;

export type Medians = { readonly [name in FigureName]: number | null };

export interface Summary extends Medians {
  /** Of the runs that count. Null where none does. */
  readonly converged: number | null;
  /** Of the runs of a guest that sleeps; null where it does not. */
  readonly wokeOnTime: number | null;
  readonly runs: number;
  /** How many runs `guestGapMs` is of. */
  readonly gapRuns: number;
  /** Among `runs`: they say nothing. */
  readonly voidRuns: number;
  /** Among `runs`: the guest was not heard again, so that they have no gap. */
  readonly lostRuns: number;
}

const decimals: { readonly [name in FigureName]: number } = {
  totalMs: 0,
  guestGapMs: 1,
  controlGapMs: 1,
  downtimeMs: 1,
  bytes: 0,
  cpuS: 2,
  throttlePercentMax: 0,
};
const figureNames = Object.keys(decimals) as FigureName[];

export function summarize(runs: readonly Run[]): Summary {
  const counted = runs.filter(({ kind }) => kind !== 'void').length;
  const carried = runs.filter((run) => run.kind === 'moved' || run.kind === 'lost');
  return {
    ...mediansOf(carried.map(({ figures }) => figures)),
    converged: shareOf(carried.filter(({ isConverged }) => isConverged).length, counted),
    wokeOnTime: null,
    runs: runs.length,
    gapRuns: carried.filter(({ figures }) => figures.guestGapMs !== null).length,
    voidRuns: runs.length - counted,
    lostRuns: carried.filter(({ kind }) => kind === 'lost').length,
  };
}

export function summarizeSleeps(sleeps: readonly Sleep[]): Summary {
  const slept = sleeps.filter((sleep) => sleep.kind === 'slept');
  const woken = slept.filter(({ wokeOnTime }) => wokeOnTime).length;
  return {
    ...mediansOf(slept.map(({ figures }) => figures)),
    converged: shareOf(slept.length, slept.length),
    wokeOnTime: shareOf(woken, slept.length),
    runs: sleeps.length,
    gapRuns: 0,
    voidRuns: sleeps.length - slept.length,
    lostRuns: slept.length - woken,
  };
}

export interface SettingSummary extends Summary {
  readonly setting: string;
}

export interface Best extends Medians {
  /** Which setting each figure is of. */
  readonly setting: { readonly [name in FigureName]: string | null };
  readonly converged: number | null;
}

/** Figure by figure the lowest, among the settings that converge most often: one that never ends is not fast. */
export function bestOf(settings: readonly SettingSummary[]): Best {
  const converged = settings.reduce<number | null>(
    (best, one) => (one.converged === null ? best : Math.max(best ?? 0, one.converged)),
    null,
  );
  const candidates = settings.filter((one) => one.converged === converged);
  const winners = new Map(figureNames.map((name) => [name, winnerOf(candidates, name)]));
  // The quiet time of the run whose gap is the best one: it is subtracted from that.
  winners.set('controlGapMs', winners.get('guestGapMs') ?? null);
  const each = <T>(pick: (winner: SettingSummary | null, name: FigureName) => T) =>
    Object.fromEntries(figureNames.map((name) => [name, pick(winners.get(name) ?? null, name)])) as {
      readonly [name in FigureName]: T;
    };
  return {
    ...each((winner, name) => winner?.[name] ?? null),
    setting: each((winner) => winner?.setting ?? null),
    converged,
  };
}

function winnerOf(candidates: readonly SettingSummary[], name: FigureName): SettingSummary | null {
  const known = candidates.filter((one) => one[name] !== null);
  return known.toSorted((a, b) => (a[name] ?? 0) - (b[name] ?? 0))[0] ?? null;
}

function mediansOf(figures: readonly Figures[]): Medians {
  const of = (name: FigureName): number | null => {
    const values = figures.map((one) => one[name]).filter((value) => value !== null);
    return values.length === 0 ? null : Number(median(values).toFixed(decimals[name]));
  };
  return Object.fromEntries(figureNames.map((name) => [name, of(name)])) as unknown as Medians;
}

function shareOf(count: number, all: number): number | null {
  return all === 0 ? null : Number((count / all).toFixed(2));
}
