/** The downtime in its parts, and by the three clocks that can measure it. */
import type { DowntimeClocks, MigrationRecord } from '@skein/shared';
import { formatMs } from '../output/figures.ts';
import { type Plot, timeAxis } from './plot.ts';
import { fittedScaleTo, type Scale } from './scale.ts';
import { drawing, element, label, tip } from './svg.ts';

const width = 940;
const barLeft = 250;
const barWidth = 660;
const rowHeight = 30;

interface Part {
  readonly class: string;
  readonly name: string;
  readonly ms: number;
}

/** One row each, so that the smallest part is read as well as the largest. */
export function downtimeChart({ downtime, downtimeMs }: MigrationRecord): string {
  const parts: readonly Part[] = [
    { class: 'part-pages', name: 'last pages', ms: downtime.lastPagesMs },
    { class: 'part-state', name: 'state of CPU and devices', ms: downtime.stateMs },
    { class: 'part-verify', name: 'verified by the target', ms: downtime.verifyMs },
    { class: 'part-lease', name: 'lease passed', ms: downtime.leasePassMs },
    { class: 'part-resume', name: 'resumed at the target', ms: downtime.resumeMs },
  ];
  const sumMs = parts.reduce((sum, { ms }) => sum + ms, 0);
  const scale = fittedScaleTo(Math.max(downtimeMs, sumMs));
  const plot: Plot = { left: barLeft, top: 8, width: barWidth, height: parts.length * rowHeight };
  let startMs = 0;
  const rows = parts.map((part, index) => {
    const row = partRow(part, startMs, scale, plot.top + index * rowHeight);
    startMs += part.ms;
    return row;
  });
  return drawing(
    { width, height: plot.top + plot.height + 30 },
    `Downtime ${formatMs(downtimeMs)} in its parts`,
    ...rows,
    timeAxis(plot, scale),
  );
}

/** Each part begins where the one before it ended. */
function partRow({ class: kind, name, ms }: Part, startMs: number, scale: Scale, top: number): string {
  const x = barLeft + barWidth * scale.ratio(startMs);
  const bar = {
    class: kind,
    x,
    y: top + 5,
    width: Math.max(1.5, barWidth * scale.ratio(ms)),
    height: rowHeight - 10,
    rx: 2,
  };
  const middle = top + rowHeight / 2 + 4;
  return [
    element('line', {
      class: 'grid',
      x1: barLeft,
      x2: barLeft + barWidth,
      y1: top + rowHeight,
      y2: top + rowHeight,
    }),
    label(12, middle, name),
    label(barLeft - 16, middle, formatMs(ms), { anchor: 'end', class: 'value' }),
    element('rect', bar, tip(`${name}: ${formatMs(ms)}`)),
  ].join('');
}

/** What the guest and the network saw, and the hypervisor where its clock is given. */
export function clocksChart(clocks: Omit<DowntimeClocks, 'hypervisor'> & Partial<DowntimeClocks>): string {
  const { hypervisor } = clocks;
  const rows = [
    ...(hypervisor === undefined ? [] : [{ class: 'source', name: "hypervisor's", ms: hypervisor }]),
    { class: 'target', name: "guest's: gap between ticks", ms: clocks.guest },
    { class: 'dirty', name: "network's: gap between answers", ms: clocks.network },
  ];
  const scale = fittedScaleTo(Math.max(...rows.map(({ ms }) => ms ?? 0)));
  const plot: Plot = { left: barLeft + 60, top: 8, width: barWidth - 60, height: rows.length * rowHeight };
  const bars = rows.map(({ class: kind, name, ms }, index) => {
    const top = plot.top + index * rowHeight;
    const middle = top + rowHeight / 2 + 4;
    if (ms === null)
      return label(12, middle, name) + label(plot.left, middle, 'not observed', { class: 'absent' });
    const bar = { class: kind, x: plot.left, y: top + 5, height: rowHeight - 10, rx: 2 };
    return [
      label(12, middle, name),
      label(plot.left - 16, middle, formatMs(ms), { anchor: 'end', class: 'value' }),
      element(
        'rect',
        { ...bar, width: Math.max(1.5, plot.width * scale.ratio(ms)) },
        tip(`${name} ${formatMs(ms)}`),
      ),
    ].join('');
  });
  return drawing(
    { width, height: plot.top + plot.height + 30 },
    'Downtime by the clocks of hypervisor, guest and network',
    ...bars,
    timeAxis(plot, scale),
  );
}
