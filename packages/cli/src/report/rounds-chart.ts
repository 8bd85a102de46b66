/** The rounds as bars: pages by kind, and bytes on the wire with what compression saved. */
import type { MigrationRecord, MigrationRound } from '@skein/shared';
import { formatSize } from '../output/figures.ts';
import { legend } from './legend.ts';
import { heightOf, type Plot, verticalAxis } from './plot.ts';
import { type Scale, scaleTo, shortNumber } from './scale.ts';
import { drawing, element, label, tip } from './svg.ts';

interface Part {
  readonly class: string;
  readonly name: string;
  readonly valueOf: (round: MigrationRound) => number;
  /** Drawn on top, and not counted in the figure above the bar. */
  readonly isUncounted?: boolean;
}

interface BarChart {
  readonly title: string;
  readonly unit: string;
  readonly parts: readonly Part[];
  readonly format: (value: number) => string;
}

const bytesPerMib = 2 ** 20;

const pages: BarChart = {
  title: 'Pages of each round',
  unit: 'pages',
  format: (value) => `${value} pages`,
  parts: [
    {
      class: 'normal',
      name: 'whole',
      valueOf: ({ pages: all, zeroPages, freePages, deltaPages }) =>
        Math.max(0, all - zeroPages - freePages - deltaPages),
    },
    { class: 'delta', name: 'as deltas', valueOf: ({ deltaPages }) => deltaPages },
    { class: 'zero', name: 'zero', valueOf: ({ zeroPages }) => zeroPages },
    { class: 'free', name: 'free', valueOf: ({ freePages }) => freePages },
    {
      class: 'left-out',
      name: 'left out',
      valueOf: ({ rewrittenPages }) => rewrittenPages,
      isUncounted: true,
    },
  ],
};

const bytes: BarChart = {
  title: 'Bytes of each round',
  unit: 'MiB',
  format: (value) => formatSize(value * bytesPerMib),
  parts: [
    { class: 'normal', name: 'on the wire', valueOf: (round) => round.bytes / bytesPerMib },
    {
      class: 'zero',
      name: 'saved by compression',
      valueOf: (round) => Math.max(0, round.uncompressedBytes - round.bytes) / bytesPerMib,
    },
  ],
};

const size = { width: 460, height: 268 };
const plot: Plot = { left: 48, top: 34, width: 404, height: 186 };
/** Beyond that their labels would run into each other. */
const labelledRoundsMax = 10;
const barWidthMax = 46;
/** A round that was small beside another one is seen still. */
const barHeightMin = 1.5;

export function pagesChart(record: MigrationRecord): string {
  return barChart(record.rounds, pages);
}

export function bytesChart(record: MigrationRecord): string {
  return barChart(record.rounds, bytes);
}

function barChart(rounds: readonly MigrationRound[], chart: BarChart): string {
  const sumOf = (parts: readonly Part[], round: MigrationRound): number =>
    parts.reduce((sum, part) => sum + part.valueOf(round), 0);
  const totalOf = (round: MigrationRound): number => sumOf(chart.parts, round);
  const counted = chart.parts.filter(({ isUncounted = false }) => !isUncounted);
  const scale = scaleTo(Math.max(0, ...rounds.map(totalOf)));
  const pitch = plot.width / Math.max(1, rounds.length);
  const barWidth = Math.min(barWidthMax, pitch * 0.7);
  const bars = rounds.map((round, index) => {
    const middle = plot.left + pitch * (index + 0.5);
    const top = heightOf(plot, scale, totalOf(round));
    const number = index === 0 || isLabelled(index, rounds.length) ? String(round.round) : '';
    const isTotalled = rounds.length <= labelledRoundsMax;
    return [
      stack(round, chart, scale, { x: middle - barWidth / 2, width: barWidth }),
      isTotalled
        ? label(middle, top - 5, shortNumber(sumOf(counted, round)), { anchor: 'middle', class: 'value' })
        : '',
      label(middle, plot.top + plot.height + 18, number, { anchor: 'middle' }),
    ].join('');
  });
  const names = chart.parts.map(({ class: kind, name }) => ({ class: kind, name }));
  return drawing(
    size,
    `${chart.title}, of ${rounds.length} rounds`,
    verticalAxis(plot, scale, chart.unit),
    ...bars,
    label(plot.left + plot.width, plot.top + plot.height + 42, 'round', { anchor: 'end', class: 'unit' }),
    legend(names, { x: plot.left, y: plot.top + plot.height + 42 }),
  );
}

function isLabelled(index: number, rounds: number): boolean {
  const step = Math.ceil(rounds / labelledRoundsMax);
  return (index + 1) % step === 0;
}

function stack(
  round: MigrationRound,
  chart: BarChart,
  scale: Scale,
  bar: { readonly x: number; readonly width: number },
): string {
  let below = 0;
  const rects = chart.parts.map((part) => {
    const value = part.valueOf(round);
    if (value === 0) return '';
    const y = heightOf(plot, scale, below + value);
    const height = Math.max(barHeightMin, heightOf(plot, scale, below) - y);
    below += value;
    const note = tip(`round ${round.round}: ${chart.format(value)} ${part.name}`);
    return element(
      'rect',
      { class: part.class, ...bar, y: Math.min(y, plot.top + plot.height - height), height },
      note,
    );
  });
  return element('g', { 'data-round': round.round }, ...rects);
}
