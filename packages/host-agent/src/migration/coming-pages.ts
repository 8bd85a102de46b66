/**
 * Tells the target which pages of the first round come next, some MiB ahead of them, so that it has their memory from its host when
 * they come (vm/allocate-ahead.ts). Pages of zeros are none of them, so that what stands for nothing there stays unallocated: but for those
 * that become so in the few milliseconds until their turn.
 */
import { comingPagesBytesMax } from '@skein/shared';
import type { PageEncoder } from './page-encoder.ts';

/** What is told at a time, 8 MiB: looking through them takes a fraction of a millisecond, or one where they are zeros. */
export const pagesAtOnce = comingPagesBytesMax * 8;
/** So many times that is told already behind what is sent. */
const windowsAhead = 1;

export type TellComing = (firstPage: number, pages: Uint32Array) => void;

export class ComingPages {
  readonly #encoder: Pick<PageEncoder, 'nonzero'>;
  readonly #pages: number;
  readonly #tell: TellComing;
  #toldPages = 0;

  /** `encoder`: with the round's pages listed; `pages`: of the guest. */
  constructor(encoder: Pick<PageEncoder, 'nonzero'>, pages: number, tell: TellComing) {
    this.#encoder = encoder;
    this.#pages = pages;
    this.#tell = tell;
  }

  /** What is sent next begins with this page. */
  reach(page: number): void {
    const windows = Math.floor(page / pagesAtOnce) + 1 + windowsAhead;
    const end = Math.min(this.#pages, windows * pagesAtOnce);
    // Where it was not asked for a while, what was sent meanwhile is not told any more.
    this.#toldPages = Math.max(this.#toldPages, Math.floor(page / pagesAtOnce) * pagesAtOnce);
    while (this.#toldPages < end) {
      const first = this.#toldPages;
      const pages = this.#encoder.nonzero(first, Math.min(pagesAtOnce, this.#pages - first));
      this.#toldPages += pagesAtOnce;
      if (pages.some((word) => word !== 0)) this.#tell(first, pages);
    }
  }
}
