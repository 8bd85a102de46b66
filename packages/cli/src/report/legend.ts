/** Which colour means what, in a row. */
import { element, label } from './svg.ts';

export interface LegendEntry {
  readonly class: string;
  readonly name: string;
}

const swatchSize = 10;
/** Of the type in which labels are set, on average. */
const characterWidth = 6.4;
const gap = 18;

export function legend(
  entries: readonly LegendEntry[],
  at: { readonly x: number; readonly y: number },
): string {
  let x = at.x;
  return entries
    .map(({ class: name, name: text }) => {
      const swatch = {
        class: name,
        x,
        y: at.y - swatchSize + 1,
        width: swatchSize,
        height: swatchSize,
        rx: 2,
      };
      const entry = element('rect', swatch) + label(x + swatchSize + 5, at.y, text);
      x += swatchSize + 5 + text.length * characterWidth + gap;
      return entry;
    })
    .join('');
}
