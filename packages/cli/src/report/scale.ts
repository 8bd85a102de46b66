/** From figures to places on a drawing, and the round figures at which its axis is marked. */
export interface Scale {
  readonly max: number;
  readonly ticks: readonly number[];
  /** 0 to 1. */
  ratio(value: number): number;
}

const ticksWanted = 4;

/** Nothing that is measured is smaller: what is, is nothing. */
const valueMin = 1e-9;

/** From zero to a round figure that is no smaller than the largest value. */
export function scaleTo(valueMax: number): Scale {
  const step = stepFor(valueMax);
  const count = Math.max(1, Math.ceil(shown(valueMax) / step - 1e-9));
  return scale(step * count, step, count);
}

/** From zero to exactly the largest value, so that nothing of the width is empty; marked at the round figures below. */
export function fittedScaleTo(valueMax: number): Scale {
  const step = stepFor(valueMax);
  return scale(shown(valueMax), step, Math.floor(shown(valueMax) / step + 1e-9));
}

function scale(max: number, step: number, steps: number): Scale {
  return {
    max,
    ticks: Array.from({ length: steps + 1 }, (_, index) => index * step),
    ratio: (value) => Math.min(1, Math.max(0, value / max)),
  };
}

function shown(valueMax: number): number {
  return valueMax > valueMin ? valueMax : 1;
}

function stepFor(valueMax: number): number {
  return roundStep(shown(valueMax) / ticksWanted);
}

/** 1, 2 or 5 times a power of ten. */
function roundStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  const factor = [1, 2, 5, 10].find((candidate) => candidate * power >= least - power * 1e-9) ?? 10;
  return factor * power;
}

/** `1.5`, `20`, `3.2k`, `1.2M`. */
export function shortNumber(value: number): string {
  if (Math.abs(value) >= 1e6) return `${trimmed(value / 1e6)}M`;
  if (Math.abs(value) >= 1e4) return `${trimmed(value / 1e3)}k`;
  return trimmed(value);
}

function trimmed(value: number): string {
  return String(Number(value.toFixed(Math.abs(value) < 10 ? 2 : 1)));
}
