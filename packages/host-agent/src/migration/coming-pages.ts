/**
 * Tells the target which pages of the first round come next, some MiB ahead of them, so that it has their memory from its host when
 * they come (vm/allocate-ahead.ts). Pages of zeros are none of them: what stands for nothing there stays unallocated.
 */
import { comingPagesBytesMax } from '@skein/shared';
import type { PageEncoder } from './page-encoder.ts';

/** What is told at a time, 8 MiB; looking through them takes a fraction of a millisecond. */
export const comingPages = comingPagesBytesMax * 8;
/** So many times that is told already behind what is sent. */
const windowsAhead = 1;

export type TellComing = (firstPage: number, pages: Uint32Array) => void;

export class ComingPages {
  readonly #encoder: Pick<PageEncoder, 'written'>;
  readonly #pages: number;
  readonly #tell: TellComing;
  #toldPages = 0;

  /** `encoder`: with the round's pages listed; `pages`: of the guest. */
  constructor(encoder: Pick<PageEncoder, 'written'>, pages: number, tell: TellComing) {
    this.#encoder = encoder;
    this.#pages = pages;
    this.#tell = tell;
  }

  /** What is sent next begins with this page. */
  reach(page: number): void {
    const windows = Math.floor(page / comingPages) + 1 + windowsAhead;
    const end = Math.min(this.#pages, windows * comingPages);
    while (this.#toldPages < end) {
      const first = this.#toldPages;
      const written = this.#encoder.written(first, Math.min(comingPages, this.#pages - first));
      this.#toldPages += comingPages;
      if (written.some((word) => word !== 0)) this.#tell(first, written);
    }
  }
}
