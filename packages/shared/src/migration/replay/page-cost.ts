/** What pages cost on the wire under given settings, by what those of a trace cost. */
import type { MigrationSettings } from '../../model/migration.ts';
import type { Trace } from './trace.ts';

/** A zero page is an entry without data (frame/page.ts). */
const zeroPageBytes = 8;

export interface SentPages {
  readonly pages: number;
  readonly zeroPages: number;
  readonly freePages: number;
  readonly deltaPages: number;
  readonly bytes: number;
}

export class PageCost {
  readonly #trace: Trace;
  readonly #deltaRatio: number;
  readonly #compressedRatios: { readonly first: number; readonly later: number };

  constructor(trace: Trace, settings: MigrationSettings) {
    this.#trace = trace;
    this.#deltaRatio = settings.deltas ? (trace.deltaRatio ?? 0) : 0;
    const isCompressed = settings.compression !== 'never' && trace.compressedRatios !== null;
    this.#compressedRatios = isCompressed ? trace.compressedRatios : { first: 1, later: 1 };
  }

  /** Every page that was ever written, none of which the target has. */
  first(): SentPages {
    const { pages, zeroPages, freePages } = this.#trace.firstRound;
    const counts = { pages, zeroPages, freePages, deltaPages: 0 };
    return this.#sent(counts, this.#compressedRatios.first);
  }

  /** Pages that got dirty since they were sent. Those that got free since cost what zero pages do, and are told as such. */
  again(pages: number): SentPages {
    const zeroPages = Math.round(pages * this.#trace.zeroRatio);
    const deltaPages = Math.min(pages - zeroPages, Math.round((pages - zeroPages) * this.#deltaRatio));
    return this.#sent({ pages, zeroPages, freePages: 0, deltaPages }, this.#compressedRatios.later);
  }

  #sent(counts: Omit<SentPages, 'bytes'>, compressedRatio: number): SentPages {
    const { pages, zeroPages, freePages, deltaPages } = counts;
    const { wholePageBytes, deltaPageBytes } = this.#trace;
    const normal = pages - zeroPages - freePages - deltaPages;
    const before = normal * wholePageBytes + deltaPages * deltaPageBytes;
    // Where whole pages were sent as well, the entries of zero ones are part of what those cost.
    const entryBytes = normal === 0 ? zeroPages * zeroPageBytes : 0;
    return { ...counts, bytes: Math.round(before * compressedRatio) + entryBytes };
  }
}

/** What the trace does not tell of pages under these settings. */
export function costAssumptions(trace: Trace, settings: MigrationSettings): readonly string[] {
  const isUnknownDelta = settings.deltas && trace.deltaRatio === null;
  const isUnknownRatio = settings.compression !== 'never' && trace.compressedRatios === null;
  return [
    ...(isUnknownDelta ? ['no page of the trace was sent as a delta: none is here'] : []),
    ...(isUnknownRatio ? ['no page of the trace was compressed: compression is taken to gain nothing'] : []),
    ...(settings.compression === 'auto' && trace.compressedRatios !== null
      ? ['compression pays as often as in the trace, whatever the bandwidth']
      : []),
  ];
}
