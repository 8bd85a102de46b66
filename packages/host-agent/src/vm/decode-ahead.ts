/**
 * What a vCPU's thread does for a guest that is on its way: it decodes the code that the guest used at its source, piece by piece,
 * between which commands are heard. Over with the first step: nothing of a guest that runs may be dropped as written by others.
 */
import { type UsedCode, usedCodePageBytes } from '@skein/machine';

/** In one go: a tenth of a millisecond. */
const pagesAtOnce = 16;

export class DecodeAhead {
  readonly #machineCode: Pick<UsedCode, 'decode' | 'dropRewritten'>;
  readonly #tell: (pages: number) => void;
  #usedCode: Uint8Array | null = null;
  /** From which page on it is to be decoded, and how many were; null: there is nothing to do. */
  #work: { readonly next: number; readonly pages: number } | null = null;
  #isOver = false;

  /** `tell`: once for each `begin`, how many pages were decoded. */
  constructor(machineCode: Pick<UsedCode, 'decode' | 'dropRewritten'>, tell: (pages: number) => void) {
    this.#machineCode = machineCode;
    this.#tell = tell;
  }

  /** Null: what was told before, as far as it came or was written since. */
  begin(usedCode: Uint8Array | null): void {
    this.#end();
    if (this.#isOver) {
      this.#tell(0);
      return;
    }
    this.#usedCode = usedCode ?? this.#usedCode;
    this.#machineCode.dropRewritten();
    this.#work = { next: 0, pages: 0 };
  }

  /** A piece of it; false if there is none. */
  goOn(): boolean {
    if (this.#work === null) return false;
    const usedCode = this.#usedCode ?? new Uint8Array(0);
    const { decoded, next } = this.#machineCode.decode(usedCode, this.#work.next, pagesAtOnce);
    this.#work = { next, pages: this.#work.pages + decoded };
    if (next * usedCodePageBytes >= usedCode.length) this.#end();
    return true;
  }

  /** The guest takes its first step after this. */
  finish(): void {
    this.#end();
    this.#usedCode = null;
    this.#isOver = true;
    this.#machineCode.dropRewritten();
  }

  #end(): void {
    if (this.#work === null) return;
    const { pages } = this.#work;
    this.#work = null;
    this.#tell(pages);
  }
}
