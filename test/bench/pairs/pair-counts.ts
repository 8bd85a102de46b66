/** Which operation followed which, as a core that counts pairs left it behind its guest's RAM. */
import { pairHistogramBytes, pairHistogramStride } from '../../../packages/machine/generator/core-variant.ts';
import { canBeginPair, canEndPair } from '../../../packages/machine/generator/effects.ts';
import { operationTable } from '../../../packages/machine/src/operations/table.ts';

export interface PairShare {
  readonly first: string;
  readonly second: string;
  /** Of all dispatches of the program. */
  readonly percent: number;
}

export class PairCounts {
  readonly #counts: Uint32Array;

  constructor(memory: WebAssembly.Memory) {
    const { buffer } = memory;
    this.#counts = new Uint32Array(
      buffer,
      buffer.byteLength - histogramMib * 2 ** 20,
      pairHistogramStride ** 2,
    );
  }

  clear(): void {
    this.#counts.fill(0);
  }

  get dispatches(): number {
    return this.#counts.reduce((sum, count) => sum + count, 0);
  }

  /** Pairs that can be done in one go, the most frequent first. */
  shares(): readonly PairShare[] {
    const total = this.dispatches;
    const { operations } = operationTable;
    const shares: PairShare[] = [];
    for (const [row, first] of operations.entries()) {
      if (!canBeginPair(first)) continue;
      for (const [column, second] of operations.entries()) {
        const count = this.#counts[row * pairHistogramStride + column] ?? 0;
        if (count === 0 || !canEndPair(second)) continue;
        shares.push({ first: first.name, second: second.name, percent: (100 * count) / total });
      }
    }
    return shares.sort((a, b) => b.percent - a.percent);
  }
}

/** What a memory needs behind the guest's RAM. */
export const histogramMib = pairHistogramBytes / 2 ** 20;
