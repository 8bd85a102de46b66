/**
 * The phases on a time axis, and below, as through a lens, the stretch in which the guest changed hosts: what happened at
 * the source and what at the target, the latter within the error of the measured offset of its clock.
 */
import type { MigrationMoments, MigrationRecord } from '@skein/shared';
import { formatMs } from '../output/figures.ts';
import { type Plot, timeAxis } from './plot.ts';
import { fittedScaleTo, shortNumber } from './scale.ts';
import { drawing, element, label, tip } from './svg.ts';

const width = 940;
const plot: Plot = { left: 12, top: 14, width: 900, height: 40 };

export function phasesChart({ phases, totalMs }: MigrationRecord): string {
  const { precopyMs, stopAndCopyMs, postcopyMs } = phases;
  const scale = fittedScaleTo(Math.max(totalMs, precopyMs + stopAndCopyMs + postcopyMs));
  const spans = [
    { class: 'pre-copy', name: 'pre-copy', startMs: 0, durationMs: precopyMs },
    { class: 'stop-and-copy', name: 'stop-and-copy', startMs: precopyMs, durationMs: stopAndCopyMs },
    { class: 'post-copy', name: 'post-copy', startMs: precopyMs + stopAndCopyMs, durationMs: postcopyMs },
  ];
  const bars = spans
    .filter(({ durationMs }) => durationMs > 0)
    .map(({ class: kind, name, startMs, durationMs }) => {
      const x = plot.left + plot.width * scale.ratio(startMs);
      const barWidth = Math.max(1.5, plot.width * scale.ratio(durationMs));
      const bar = { class: kind, x, y: plot.top, width: barWidth, height: plot.height };
      const text = `${name} ${formatMs(durationMs)}`;
      const isRoom = barWidth > text.length * 7;
      return (
        element('rect', bar, tip(text)) +
        (isRoom ? label(x + 10, plot.top + 25, text, { class: 'on-bar' }) : '')
      );
    });
  const names = spans.map(({ class: kind, name, durationMs }) => ({
    kind,
    text: `${name} ${formatMs(durationMs)}`,
  }));
  return drawing(
    { width, height: 118 },
    `Phases: ${names.map(({ text }) => text).join(', ')}`,
    ...bars,
    timeAxis(plot, scale),
    ...names.map(({ kind, text }, index) => {
      const x = plot.left + index * 220;
      return (
        element('rect', { class: kind, x, y: 97, width: 10, height: 10, rx: 2 }) + label(x + 15, 106, text)
      );
    }),
  );
}

interface Moment {
  readonly key: keyof MigrationMoments;
  readonly name: string;
  readonly side: 'source' | 'target';
}

const moments: readonly Moment[] = [
  { key: 'suspendRequestedMs', name: 'suspend asked for', side: 'source' },
  { key: 'suspendedMs', name: 'suspended', side: 'source' },
  { key: 'lastPagesSentMs', name: 'last pages sent', side: 'source' },
  { key: 'finalSentMs', name: 'state sent', side: 'source' },
  { key: 'readyMs', name: 'verified and ready', side: 'target' },
  { key: 'readyHeardMs', name: 'heard that it is', side: 'source' },
  { key: 'passedMs', name: 'lease passed (commit)', side: 'source' },
  { key: 'grantedMs', name: 'granted', side: 'target' },
  { key: 'resumedMs', name: 'resumed', side: 'target' },
];

const rowHeight = 24;
const lensLeft = 300;
const lensWidth = 600;

/** Empty where the guest was never suspended. */
export function momentsChart(record: MigrationRecord): string {
  const all: Partial<MigrationMoments> = record.moments ?? {};
  const reached = moments.flatMap(({ key, name, side }) => {
    const atMs = all[key];
    return atMs == null ? [] : [{ name, side, atMs }];
  });
  const [first] = reached;
  if (first === undefined) return '';
  const times = reached.map(({ atMs }) => atMs);
  const originMs = Math.min(...times);
  const scale = fittedScaleTo(Math.max(0.1, Math.max(...times) - originMs));
  const lens: Plot = { left: lensLeft, top: 10, width: lensWidth, height: reached.length * rowHeight };
  const rows = reached.map(({ name, side, atMs }, index) => {
    const y = lens.top + (index + 0.5) * rowHeight;
    const x = lens.left + lens.width * scale.ratio(atMs - originMs);
    const errorMs = side === 'target' ? record.clockOffsetErrorMs : 0;
    const reach = lens.width * scale.ratio(errorMs);
    const host = side === 'target' ? record.to : record.from;
    const bound = errorMs === 0 ? '' : ` ± ${formatMs(errorMs)}`;
    return [
      element('line', { class: 'grid', x1: lens.left, x2: lens.left + lens.width, y1: y, y2: y }),
      label(12, y + 4, `${name}, ${host}`),
      label(lens.left - 16, y + 4, `+${shortNumber(atMs - originMs)} ms`, { anchor: 'end', class: 'value' }),
      errorMs === 0
        ? ''
        : element('line', { class: 'error-bar', x1: x - reach, x2: x + reach, y1: y, y2: y }),
      element(
        'circle',
        { class: side, cx: x, cy: y, r: 5 },
        tip(`${name} at ${host}: +${formatMs(atMs)}${bound}`),
      ),
    ].join('');
  });
  return drawing(
    { width, height: lens.top + lens.height + 34 },
    'What happened when, around the stop of the guest',
    ...rows,
    timeAxis(lens, scale),
  );
}
