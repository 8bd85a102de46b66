/**
 * Copies of pages as they were sent last, for those that got dirty again: what a delta is told against. Bounded; the
 * oldest goes first. Source: Svärd et al. 2011, "Evaluation of delta compression techniques"; QEMU's XBZRLE cache.
 */

export class SentCopies {
  readonly #slotOf: Int32Array;
  readonly #pageOf: Int32Array;
  #hand = 0;

  /** For a guest of so many pages; copies of so many of them. */
  constructor(pages: number, slots: number) {
    this.#slotOf = new Int32Array(pages).fill(-1);
    this.#pageOf = new Int32Array(slots).fill(-1);
  }

  /** Where the page's copy is; null if there is none. */
  slotOf(page: number): number | null {
    const slot = this.#slotOf[page] ?? -1;
    return slot < 0 ? null : slot;
  }

  /** A place for the page's copy; some other page's copy may go for it. */
  take(page: number): number {
    const known = this.slotOf(page);
    if (known !== null) return known;
    const slot = this.#hand;
    this.#hand = slot + 1 === this.#pageOf.length ? 0 : slot + 1;
    const victim = this.#pageOf[slot] ?? -1;
    if (victim >= 0) this.#slotOf[victim] = -1;
    this.#pageOf[slot] = page;
    this.#slotOf[page] = slot;
    return slot;
  }

  /** The other side has something else than the copy now. */
  drop(page: number): void {
    const slot = this.slotOf(page);
    if (slot === null) return;
    this.#slotOf[page] = -1;
    this.#pageOf[slot] = -1;
  }
}
