/** The ground of a chart: a plot with horizontal lines at round figures and their labels. */
import type { Scale } from './scale.ts';
import { shortNumber } from './scale.ts';
import { element, label } from './svg.ts';

export interface Plot {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** Where a value stands, from the top of the drawing. */
export function heightOf(plot: Plot, scale: Scale, value: number): number {
  return plot.top + plot.height * (1 - scale.ratio(value));
}

/** Lines and labels of a vertical axis; its unit stands above. */
export function verticalAxis(plot: Plot, scale: Scale, unit: string): string {
  const lines = scale.ticks.map((tick) => {
    const y = heightOf(plot, scale, tick);
    const line = { x1: plot.left, x2: plot.left + plot.width, y1: y, y2: y };
    return (
      element('line', { class: tick === 0 ? 'axis' : 'grid', ...line }) +
      label(plot.left - 8, y + 4, shortNumber(tick), { anchor: 'end' })
    );
  });
  return label(0, plot.top - 12, unit, { class: 'unit' }) + lines.join('');
}

/** Labels of a time axis below a plot, in ms. */
export function timeAxis(plot: Plot, scale: Scale): string {
  const y = plot.top + plot.height;
  return scale.ticks
    .map((tick, index) => {
      const x = plot.left + plot.width * scale.ratio(tick);
      const isLast = index === scale.ticks.length - 1;
      const text = isLast ? `${shortNumber(tick)} ms` : shortNumber(tick);
      return (
        element('line', { class: 'axis', x1: x, x2: x, y1: y, y2: y + 4 }) +
        label(x, y + 18, text, { anchor: 'middle' })
      );
    })
    .join('');
}
