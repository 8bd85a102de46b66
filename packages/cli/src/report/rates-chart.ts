/**
 * Bandwidth against the rate at which the guest dirtied memory, both in MiB a second over the time of the migration: where
 * the second line is below the first, rounds help. Below them, how much the vCPU was slowed.
 */
import { type MigrationRecord, type MigrationRound, pageBytes } from '@skein/shared';
import { legend } from './legend.ts';
import { heightOf, type Plot, timeAxis, verticalAxis } from './plot.ts';
import { fittedScaleTo, type Scale, scaleTo, shortNumber } from './scale.ts';
import { drawing, element, label, tip } from './svg.ts';

const bytesPerMib = 2 ** 20;
const size = { width: 940, height: 330 };
const plot: Plot = { left: 48, top: 34, width: 880, height: 170 };
const strip: Plot = { left: 48, top: 232, width: 880, height: 36 };

export function ratesChart({ rounds }: MigrationRecord): string {
  const bandwidthOf = (round: MigrationRound): number => round.bandwidthBytesPerS / bytesPerMib;
  const dirtyingOf = (round: MigrationRound): number => (round.dirtyPagesPerS * pageBytes) / bytesPerMib;
  const time = fittedScaleTo(
    Math.max(1, ...rounds.map(({ startedMs, durationMs }) => startedMs + durationMs)),
  );
  const rates = scaleTo(Math.max(0, ...rounds.flatMap((round) => [bandwidthOf(round), dirtyingOf(round)])));
  return drawing(
    size,
    'Bandwidth and dirty rate in MiB a second over time, and how much the vCPU was slowed',
    verticalAxis(plot, rates, 'MiB/s'),
    levels(rounds, time, rates, { class: 'bandwidth-line', name: 'bandwidth', valueOf: bandwidthOf }),
    levels(rounds, time, rates, { class: 'dirty-line', name: 'dirtied', valueOf: dirtyingOf }),
    throttle(rounds, time),
    timeAxis(strip, time),
    legend(
      [
        { class: 'bandwidth', name: 'bandwidth on the wire' },
        { class: 'dirty', name: 'dirtied by the guest' },
        { class: 'throttle', name: 'vCPU slowed' },
      ],
      { x: plot.left, y: size.height - 12 },
    ),
  );
}

interface Line {
  readonly class: string;
  readonly name: string;
  readonly valueOf: (round: MigrationRound) => number;
}

/** A level for each round as long as it took, joined where they meet. */
function levels(rounds: readonly MigrationRound[], time: Scale, rates: Scale, line: Line): string {
  const path = rounds
    .map((round, index) => {
      const y = heightOf(plot, rates, line.valueOf(round));
      const [from, to] = spanOf(plot, time, round);
      return `${index === 0 ? 'M' : 'L'}${from.toFixed(1)} ${y.toFixed(1)}L${to.toFixed(1)} ${y.toFixed(1)}`;
    })
    .join('');
  const spots = rounds.map((round) => {
    const [from, to] = spanOf(plot, time, round);
    const [cx, cy] = [(from + to) / 2, heightOf(plot, rates, line.valueOf(round))];
    const note = `round ${round.round}: ${line.name} ${shortNumber(line.valueOf(round))} MiB/s`;
    return element('circle', { class: `${line.class} spot`, cx, cy, r: 2.5 }, tip(note));
  });
  return element('path', { class: line.class, d: path }) + spots.join('');
}

function throttle(rounds: readonly MigrationRound[], time: Scale): string {
  const percent = scaleTo(100);
  const bottom = strip.top + strip.height;
  const bars = rounds
    .filter(({ throttlePercent }) => throttlePercent > 0)
    .map((round) => {
      const y = heightOf(strip, percent, round.throttlePercent);
      const [x, to] = spanOf(strip, time, round);
      const bar = { class: 'throttle', x, y, width: Math.max(1, to - x), height: bottom - y };
      return element('rect', bar, tip(`round ${round.round}: slowed by ${round.throttlePercent} %`));
    });
  const line = { class: 'axis', x1: strip.left, x2: strip.left + strip.width, y1: bottom, y2: bottom };
  const frame = { class: 'frame', x: strip.left, y: strip.top, width: strip.width, height: strip.height };
  return [
    element('rect', frame),
    ...bars,
    element('line', line),
    label(strip.left - 8, strip.top + 8, '100 %', { anchor: 'end' }),
    label(strip.left - 8, bottom + 4, '0', { anchor: 'end' }),
  ].join('');
}

function spanOf(on: Plot, time: Scale, { startedMs, durationMs }: MigrationRound): readonly [number, number] {
  const place = (ms: number): number => on.left + on.width * time.ratio(ms);
  return [place(startedMs), place(startedMs + durationMs)];
}
