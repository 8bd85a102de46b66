/** Rates and ratios as people write them: `100mbit`, `1.5gbit`, `1%`. Decimal prefixes, bits a second, as tc(8). */
import { usageError } from '../failure.ts';

const factors: Readonly<Record<string, number>> = { bit: 1, kbit: 1e3, mbit: 1e6, gbit: 1e9 };
const rateBitPerSMin = 8_000;
const rateBitPerSMax = 100e9;

/** @throws OperationError request.invalid */
export function parseRate(text: string): number {
  const parts = /^(\d+(?:\.\d+)?)(bit|kbit|mbit|gbit)$/i.exec(text);
  const rate = parts === null ? Number.NaN : Number(parts[1]) * (factors[parts[2]?.toLowerCase() ?? ''] ?? 1);
  if (rate >= rateBitPerSMin && rate <= rateBitPerSMax) return Math.round(rate);
  throw usageError(`${text} is no rate: write 100mbit, 1gbit or 512kbit, from 8kbit to 100gbit`);
}

/** @throws OperationError request.invalid */
export function parseLoss(text: string): number {
  const parts = /^(\d+(?:\.\d+)?)%$/.exec(text);
  const ratio = parts === null ? Number.NaN : Number(parts[1]) / 100;
  if (ratio >= 0 && ratio <= 1) return ratio;
  throw usageError(`${text} is no loss: write a percentage such as 1% or 0.5%`);
}

export function formatRate(rateBitPerS: number): string {
  for (const unit of ['gbit', 'mbit', 'kbit'] as const) {
    const value = rateBitPerS / (factors[unit] ?? 1);
    if (value >= 1) return `${Number(value.toFixed(3))}${unit}`;
  }
  return `${rateBitPerS}bit`;
}
