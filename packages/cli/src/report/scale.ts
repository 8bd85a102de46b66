/** From figures to places on a drawing, and the round figures at which its axis is marked. */
export interface Scale {
  readonly max: number;
  readonly ticks: readonly number[];
  /** 0 to 1. */
  ratio(value: number): number;
}

const ticksWanted = 4;

/** From zero to a round figure that is no smaller than any value. */
export function scaleTo(valueMax: number): Scale {
  const step = roundStep((valueMax > 0 ? valueMax : 1) / ticksWanted);
  const count = Math.max(1, Math.ceil((valueMax > 0 ? valueMax : 1) / step - 1e-9));
  const max = step * count;
  return {
    max,
    ticks: Array.from({ length: count + 1 }, (_, index) => index * step),
    ratio: (value) => Math.min(1, Math.max(0, value / max)),
  };
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
