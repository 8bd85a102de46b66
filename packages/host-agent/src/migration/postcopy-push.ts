/**
 * The third phase of a migration whose guest runs at the target without all of its memory: the source sends what is
 * missing, first what the guest waits for, else what lies around what it wanted last. Each page goes once.
 * Source: Hines et al. 2009, "Post-copy live migration of virtual machines" (demand paging, bubbling).
 */
import { pagesOf } from '@skein/machine';
import type { PageSender } from './page-sender.ts';

/** Pages that go together: those behind a wanted one are likely to be wanted next. */
const pagesPerBatch = 8;
/** Behind so much a wanted page has to wait on the wire. */
const onTheWayBytesMax = 256 << 10;

export interface PushedPages {
  readonly pages: number;
  readonly demandPages: number;
  readonly bytes: number;
  readonly uncompressedBytes: number;
}

export class PostcopyPush {
  readonly #sender: PageSender;
  readonly #round: number;
  readonly #unsent: Uint8Array;
  #left = 0;
  /** In the order in which they were asked for; each counts once, however often it is asked for. */
  readonly #wanted = new Set<number>();
  /** Where it goes on: behind what was wanted last. */
  #cursor = 0;

  constructor(sender: PageSender, missing: Uint32Array, round: number) {
    this.#sender = sender;
    this.#round = round;
    this.#unsent = new Uint8Array(missing.length * 32);
    for (const page of pagesOf(missing)) {
      this.#unsent[page] = 1;
      this.#left += 1;
    }
  }

  /** The guest waits for them. One that is on its way already, or was never missing, is nothing to send. */
  want(pages: readonly number[]): void {
    for (const page of pages) if (this.#unsent[page] === 1) this.#wanted.add(page);
    this.#sender.nudge();
  }

  /** Resolves when the target has applied the last page. @throws OperationError link.closed */
  async run(): Promise<PushedPages> {
    const pushed = { pages: 0, demandPages: 0, bytes: 0, uncompressedBytes: 0 };
    while (this.#left > 0) {
      const wanted = this.#takeWanted();
      if (wanted === null && !(await this.#sender.hasRoom(onTheWayBytesMax))) continue;
      const pages = this.#takeFrom(wanted ?? this.#cursor);
      if (wanted !== null) pushed.demandPages += 1;
      pushed.pages += pages.length;
      const sent = await this.#sender.sendNow(pages, this.#round);
      pushed.bytes += sent.bytes;
      pushed.uncompressedBytes += sent.uncompressedBytes;
    }
    await this.#sender.drained();
    return pushed;
  }

  #takeWanted(): number | null {
    for (const page of this.#wanted) {
      this.#wanted.delete(page);
      if (this.#unsent[page] === 1) return page;
    }
    return null;
  }

  /** The next unsent pages from there on, round the end. */
  #takeFrom(start: number): number[] {
    const taken: number[] = [];
    const pages = this.#unsent.length;
    let page = start;
    for (let looked = 0; looked < pages && taken.length < pagesPerBatch; looked++) {
      if (this.#unsent[page] === 1) {
        this.#unsent[page] = 0;
        taken.push(page);
      }
      page = page + 1 === pages ? 0 : page + 1;
    }
    this.#left -= taken.length;
    this.#cursor = page;
    return taken;
  }
}
