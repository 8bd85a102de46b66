/**
 * What a vCPU's thread does for a guest that is on its way: it has the host give the pages that come next their memory, which is most
 * of what a page costs at the target, beside the transfer worker's thread that fills them. Over with the first step.
 */
import { countPages, type Machine } from '@skein/machine';

const wordPages = 32;
/** Whoever brings the pages has come as far as this thread, which leaves so many words to him and goes on behind them. */
const leapWords = 2;

interface Coming {
  readonly firstPage: number;
  readonly pages: Uint32Array;
}

export class AllocateAhead {
  readonly #machine: Pick<Machine, 'allocatePages'>;
  readonly #coming: Coming[] = [];
  /** Of the first that comes. */
  #word = 0;
  #allocatedPages = 0;
  #isOver = false;

  constructor(machine: Pick<Machine, 'allocatePages'>) {
    this.#machine = machine;
  }

  get allocatedPages(): number {
    return this.#allocatedPages;
  }

  /** A bit for each page that comes, of which the first is `firstPage`, a multiple of 32. */
  add(firstPage: number, pages: Uint32Array): void {
    if (!this.#isOver) this.#coming.push({ firstPage, pages });
  }

  /** A piece of it, 32 pages at the most; false if there is none. */
  goOn(): boolean {
    const [coming] = this.#coming;
    if (coming === undefined) return false;
    const { firstPage, pages } = coming;
    const word = pages.subarray(this.#word, this.#word + 1);
    const allocated = this.#machine.allocatePages(firstPage + this.#word * wordPages, word[0] ?? 0);
    this.#allocatedPages += allocated;
    this.#word += allocated < countPages(word) ? 1 + leapWords : 1;
    if (this.#word >= pages.length) {
      this.#coming.shift();
      this.#word = 0;
    }
    return true;
  }

  /** The guest takes its first step after this. */
  finish(): void {
    this.#coming.length = 0;
    this.#isOver = true;
  }
}
